// Owns a real browser for the tests of pictures: Debian's chromium, without a window, started once
// for all of them, and pages in it that remember what went wrong while they were open. Where there
// is none, tests that say [FactNeedingChromium] are skipped with that reason.
//
// What always holds: a page has opened nothing but its own file and has complained of nothing, or
// the test that opened it fails; the browser is gone with its profile when the tests are done.

using System;
using System.Collections.Concurrent;
using System.IO;
using System.Linq;
using System.Threading.Tasks;
using PuppeteerSharp;
using Xunit;

namespace Tests.Integration.Pictures;

/// <summary>The browser.</summary>
public sealed class Browser : IAsyncLifetime
{
    private static readonly string[] Quiet =
    [
        "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-sync",
        "--disable-dev-shm-usage",
    ];

    private DirectoryInfo? _profile;
    private IBrowser? _browser;

    /// <summary>Where it is installed; null if it is not.</summary>
    public static string? Path { get; } =
        (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':')
            .SelectMany(folder => new[] { "chromium", "chromium-browser" },
                System.IO.Path.Combine)
            .FirstOrDefault(File.Exists);

    public async Task InitializeAsync()
    {
        if (Path is not { } chromium)
            return;
        _profile = Directory.CreateTempSubdirectory("bb-");
        _browser = await Puppeteer.LaunchAsync(new LaunchOptions
        {
            Headless = true,
            ExecutablePath = chromium,
            UserDataDir = _profile.FullName,
            Args = Quiet,
            Timeout = 60_000,
        });
    }

    public async Task DisposeAsync()
    {
        if (_browser is not null)
            await _browser.CloseAsync();
        _profile?.Delete(recursive: true);
    }

    /// <summary>Opens a page, lets a test look at it, and fails if it was not quiet.</summary>
    public async Task Look(string file, Func<IPage, Task> test)
    {
        var address = new Uri(file).AbsoluteUri;
        var wrong = new ConcurrentQueue<string>();
        await using var page = await _browser!.NewPageAsync();
        page.Request += (_, e) =>
        {
            if (e.Request.Url != address)
                wrong.Enqueue("asked for " + e.Request.Url);
        };
        page.Console += (_, e) =>
        {
            if (e.Message.Type is ConsoleType.Error or ConsoleType.Warning)
                wrong.Enqueue(e.Message.Text);
        };
        page.PageError += (_, e) => wrong.Enqueue(e.Message);
        await page.SetViewportAsync(new ViewPortOptions { Width = 1600, Height = 1400 });
        await page.GoToAsync(address);
        await test(page);
        Assert.Empty(wrong);
    }
}

/// <summary>A fact about a page in a browser; skipped where there is none.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class FactNeedingChromiumAttribute : FactAttribute
{
    public FactNeedingChromiumAttribute()
    {
        if (Browser.Path is null)
            Skip = "needs chromium";
    }
}

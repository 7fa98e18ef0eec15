// Owns what people see: on a terminal a display that is redrawn in place, elsewhere plain
// lines: each happening as it happens, and the table every few seconds.

using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Globalization;
using System.Linq;
using Spectre.Console;
using Spectre.Console.Rendering;

namespace Demo;

internal static class View
{
    /// <summary>Columns that the backends need beside the clients.</summary>
    private const int WideColumns = 110;

    private static readonly TimeSpan TableInterval = TimeSpan.FromSeconds(4);

    /// <summary>Runs the play and shows the board whenever it calls for it.</summary>
    public static void Run(Board board, int port, Action<Action> play)
    {
        if (Console.IsOutputRedirected)
        {
            var lines = new PlainLines(board);
            play(lines.Show);
            return;
        }
        AnsiConsole.Live(Draw(board, port)).AutoClear(false).Start(display => play(() =>
        {
            display.UpdateTarget(Draw(board, port));
            display.Refresh();
        }));
    }

    private static Rows Draw(Board board, int port)
    {
        lock (board.Gate)
        {
            var title = new Markup($"[bold]bbal[/] on 127.0.0.1:{port}, UDP and TCP; "
                + "a backend is killed every few seconds. Ctrl-C ends it.");
            if (AnsiConsole.Profile.Width < WideColumns)
                return new Rows(title, Backends(board), Clients(board), Events(board));
            var columns = new Grid().AddColumn().AddColumn();
            columns.AddRow(Clients(board), new Rows(Backends(board), Events(board)));
            return new Rows(title, columns);
        }
    }

    private static Table Clients(Board board)
    {
        var table = new Table().Border(TableBorder.Rounded)
            .AddColumns("client host", "UDP by", "TCP by");
        foreach (var name in new[] { "queries", "answered", "last" })
            table.AddColumn(new TableColumn(name).RightAligned());
        foreach (var host in board.Hosts)
        {
            table.AddRow(new Text(host.Address), Server(host.UdpServer, host.Home, board),
                Server(host.TcpServer, host.Home, board), Number(host.Queries),
                Number(host.Answered), new Text(Milliseconds(host.LastRoundTrip)));
        }
        return table;
    }

    /// <summary>Each backend has its colour; a client away from its own is in reverse.</summary>
    private static Text Server(string id, string home, Board board) => new(
        id.Length == 0 ? "…" : id, new Style(Colour(id, board),
            decoration: id == home ? Decoration.None : Decoration.Invert));

    private static Color Colour(string id, Board board) =>
        board.Backends.ToList().IndexOf(id) switch
        {
            0 => Color.Green,
            1 => Color.Yellow,
            2 => Color.Aqua,
            _ => Color.Grey,
        };

    private static Table Backends(Board board)
    {
        var table = new Table().Border(TableBorder.Rounded)
            .AddColumns("backend", "state", "clients");
        foreach (var id in board.Backends)
        {
            table.AddRow(new Text(id, new Style(Colour(id, board))), board.IsRunning(id)
                ? new Text("running") : new Text("killed", new Style(Color.Red)),
                Number(board.ClientsOf(id)));
        }
        return table;
    }

    private static Panel Events(Board board) => new Panel(new Rows(
        board.Events.Count == 0 ? [new Text("nothing yet")]
            : board.Events.Select(line => (IRenderable)new Text(line))))
        .Header("what happened").Expand();

    private static Text Number(long number) =>
        new(number.ToString(CultureInfo.InvariantCulture));

    private static string Milliseconds(TimeSpan time) => string.Create(
        CultureInfo.InvariantCulture, $"{time.TotalMilliseconds:0.0} ms");

    /// <summary>For a file or a pipe.</summary>
    private sealed class PlainLines(Board board)
    {
        private readonly Stopwatch _clock = Stopwatch.StartNew();
        private TimeSpan _nextTable = TimeSpan.FromSeconds(1);
        private long _said;

        public void Show()
        {
            var lines = new List<string>();
            lock (board.Gate)
            {
                var unsaid = (int)Math.Min(board.EventCount - _said, board.Events.Count);
                lines.AddRange(board.Events.TakeLast(unsaid));
                _said = board.EventCount;
                if (_clock.Elapsed >= _nextTable)
                {
                    _nextTable = _clock.Elapsed + TableInterval;
                    lines.AddRange(Table());
                }
            }
            lines.ForEach(Console.WriteLine);
        }

        private IEnumerable<string> Table()
        {
            yield return "client host   UDP by  TCP by  queries  answered      last";
            foreach (var host in board.Hosts)
            {
                yield return string.Create(CultureInfo.InvariantCulture,
                    $"{host.Address,-12}  {host.UdpServer,-6}  {host.TcpServer,-6}  "
                    + $"{host.Queries,7}  {host.Answered,8}  {Milliseconds(host.LastRoundTrip),8}");
            }
            foreach (var id in board.Backends)
            {
                var state = board.IsRunning(id) ? "running" : "killed";
                yield return string.Create(CultureInfo.InvariantCulture,
                    $"backend {id}  {state,-7}  {board.ClientsOf(id)} clients");
            }
        }
    }
}

// Owns the folder that fake Binders and the balancer share: created empty, open to whoever the
// containers run as, deleted with its contents on dispose.
//
// It is open to all because the images' processes run as the user nobody, or as whom the caller
// says. It is in the system's folder for temporary files, or where it is asked to: some engines see
// only part of the machine, as where a CI's job and its engine share the folder of the build and
// nothing else.
//
// What always holds: a socket in it has a path short enough to be connected to.

using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text;

namespace Balancer.Testing;

/// <summary>A folder for the sockets of backends, deleted when disposed.</summary>
public sealed class SocketFolder : IDisposable
{
    // The longest path that an AF_UNIX address takes.
    private const int MaxPath = 107;

    private const UnixFileMode Everyone =
        UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute
        | UnixFileMode.GroupRead | UnixFileMode.GroupWrite | UnixFileMode.GroupExecute
        | UnixFileMode.OtherRead | UnixFileMode.OtherWrite | UnixFileMode.OtherExecute;

    /// <summary>Makes a folder.</summary>
    /// <param name="parent">Where; null for the system's folder for temporary files.</param>
    public SocketFolder(string? parent = null)
    {
        FullName = parent is null
            ? Directory.CreateTempSubdirectory("bbal-").FullName
            : Directory.CreateDirectory(
                Path.GetFullPath(Path.Combine(parent, "bbal-" + Path.GetRandomFileName())))
                .FullName;
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(FullName, Everyone);
    }

    /// <summary>
    /// Its path on this machine, which a balancer outside a container is given as -s.
    /// </summary>
    public string FullName { get; }

    /// <summary>The names in it at this moment, sorted; a crashed backend leaves its own.</summary>
    public IReadOnlyList<string> Names =>
        [.. Directory.EnumerateFileSystemEntries(FullName).Select(path => Path.GetFileName(path))
            .Order(StringComparer.Ordinal)];

    /// <summary>The path of a backend's socket on this machine.</summary>
    /// <exception cref="ArgumentException">It has more than 107 bytes.</exception>
    public string PathOf(string id)
    {
        var path = Path.Combine(FullName, id);
        return Encoding.UTF8.GetByteCount(path) <= MaxPath
            ? path
            : throw new ArgumentException($"{path}: a socket's path has {MaxPath} bytes at most");
    }

    /// <inheritdoc />
    public void Dispose()
    {
        if (Directory.Exists(FullName))
            Directory.Delete(FullName, recursive: true);
    }
}

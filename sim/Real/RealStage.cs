// Owns where a run takes place: a folder of its own, the folder of sockets in it, the way by which
// the balancer finds that one, and the executables.
//
//   DIR/d          the sockets; backends run in it and bind by name
//   DIR/s          a symbolic link to it: what the balancer's -s says, so that the directory can be
//                  gone, or be no directory, while sockets stay where they are
//   DIR/log, err   what the balancer writes
//   DIR/N.M        the journal of backend N's process M
//
// What always holds: names of sockets are as long, by the balancer's count, as in the simulation;
// the folder goes with the run.

using System;
using System.IO;
using System.Net.Sockets;
using System.Text;
using System.Threading;

namespace Simulation.Real;

/// <summary>What is run.</summary>
internal sealed record Executables(string Balancer, string FakeBinder);

/// <summary>Folders and files of one run.</summary>
internal sealed class RealStage : IDisposable
{
    /// <summary>Bytes before a socket's name in the simulation: /run/bbal/.</summary>
    private const int SimulatedBytes = 10;

    /// <summary>
    /// Below the ports that the kernel gives to clients, and below those that the library for
    /// containers chooses from, which may run beside.
    /// </summary>
    private const int FirstPort = 12_000;

    private const int Ports = 8_000;

    private static int _lastPort = Environment.ProcessId * 131 % Ports;

    public RealStage(Executables executables)
    {
        Executables = executables;
        Folder = Directory.CreateTempSubdirectory("sr-").FullName;
        Directory.CreateDirectory(Sockets);
        Restore();
    }

    public Executables Executables { get; }

    public string Folder { get; }

    public string Sockets => Path.Combine(Folder, "d");

    /// <summary>The value of -s.</summary>
    public string Way => Path.Combine(Folder, "s");

    public string this[string name] => Path.Combine(Folder, name);

    /// <summary>A name whose path is as long for the balancer as the simulated one's.</summary>
    public string Fit(string name)
    {
        var surplus = Encoding.UTF8.GetByteCount(Way) + 1 - SimulatedBytes;
        // Only names that are long on purpose matter; they end with letters that pad them.
        return Encoding.UTF8.GetByteCount(name) > 64 && surplus > 0
            ? name[..^surplus]
            : name;
    }

    public string SocketOf(string name) => Path.Combine(Sockets, Fit(name));

    // ---- The way to the directory ----

    public void Restore()
    {
        RemoveWay();
        File.CreateSymbolicLink(Way, "d");
    }

    public void RemoveWay() => File.Delete(Way);

    /// <summary>In the directory's place is a plain file.</summary>
    public void Obstruct()
    {
        RemoveWay();
        File.WriteAllText(Way, "no directory\n");
    }

    // ---- Stray entries ----

    /// <summary>A plain file (0), folder (1), dangling link (2) or stale socket (3).</summary>
    public void MakeEntry(string name, int kind)
    {
        var path = Path.Combine(Sockets, name);
        if (kind == 0)
            File.WriteAllText(path, "");
        else if (kind == 1)
            Directory.CreateDirectory(path);
        else if (kind == 2)
            File.CreateSymbolicLink(path, "nowhere");
        else
            MakeStaleSocket(path, kind == 4 ? SocketType.Dgram : SocketType.Stream);
    }

    public void RemoveEntry(string name, int kind)
    {
        var path = Path.Combine(Sockets, name);
        if (kind == 1)
            Directory.Delete(path);
        else
            File.Delete(path);
    }

    private void MakeStaleSocket(string path, SocketType type)
    {
        // Closing a socket unlinks the path that it was bound to, so it is moved away first.
        var bound = this["stale"];
        using var socket = new Socket(
            AddressFamily.Unix, type, ProtocolType.Unspecified);
        socket.Bind(new UnixDomainSocketEndPoint(bound));
        File.Move(bound, path, overwrite: true);
    }

    /// <summary>A port that nobody uses, for UDP and TCP alike.</summary>
    public static int NextPort()
    {
        while (true)
        {
            var port = FirstPort + (int)((uint)Interlocked.Increment(ref _lastPort) % Ports);
            if (IsFree(port))
                return port;
        }
    }

    private static bool IsFree(int port)
    {
        using var udp = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        using var tcp = new Socket(
            AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            udp.Bind(new System.Net.IPEndPoint(System.Net.IPAddress.Any, port));
            tcp.Bind(new System.Net.IPEndPoint(System.Net.IPAddress.Any, port));
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    public void Dispose()
    {
        try
        {
            Directory.Delete(Folder, recursive: true);
        }
        catch (IOException)
        {
            // A process that is just dying may still have made a file; the folder is a temporary
            // one.
        }
    }
}

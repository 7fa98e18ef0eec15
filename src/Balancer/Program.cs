// The daemon bbal, composed by hand: what is made here is all there is, in the order in which it
// is made. Nothing in this file decides anything about queries or backends.
//
// What always holds: a wrong command line is one line on stderr and exit status 64; a start that
// fails is one line on stderr, a fatal record (but for want of the log's own thread) and 1; a bug
// is a fatal record with its stack and 70, for the supervisor to start the process again; an
// orderly stop is 0. No reader of our output, however slow, keeps the process from ending.

using System;
using System.Net;
using System.Text;
using Balancer;
using Balancer.Core;
using Balancer.Linux;
using CommandLines;

const int Stopped = 0;
const int CannotStart = 1;
const int Bug = 70; // sysexits.h: EX_SOFTWARE

var patience = TimeSpan.FromSeconds(LogOutput.PatienceSeconds);

Signals.SetOthers();
StandardStreams.Occupy();

var commandLine = Options.Parse(args, Environment.GetEnvironmentVariable);
if (commandLine.Text is { } text)
{
    if (StandardOptions.TryPrint(text) is not { } cannot)
        return Stopped;
    StandardError.WriteLine("bbal: " + cannot, patience);
    return StandardOptions.ExitCannotWrite;
}
if (commandLine.Complaint is { } complaint)
{
    StandardError.WriteLine(complaint, patience);
    return Options.ExitUsage;
}

var options = commandLine.Options!;
Signals signals;
LogOutput output;
try
{
    // Before there is another thread, or anything can be seen of us from outside; until the end.
    signals = new Signals(options.ForceFallbacks);
    output = new LogOutput(new StandardOutputStream(),
        new BunyanFormatter(Dns.GetHostName(), Environment.ProcessId), options.LogLevel,
        TimeProvider.System);
}
catch (NetworkSetupException cannot)
{
    StandardError.WriteLine("bbal: " + cannot.Message, patience);
    return CannotStart;
}
var log = new BalancerLog(output.Logger, TimeProvider.System, output.Lose);
try
{
    Balance();
    return Stopped;
}
catch (NetworkSetupException cannot)
{
    log.Write(new DaemonEvent.CannotStart(cannot.Message));
    StandardError.WriteLine("bbal: " + cannot.Message, patience);
    return CannotStart;
}
catch (Exception bug)
{
    log.Write(new DaemonEvent.Bug(bug.Message), bug);
    try
    {
        StandardError.WriteLine("bbal: a bug: " + bug, patience);
    }
    catch (OutOfMemoryException)
    {
        StandardError.WriteLine("bbal: no memory", patience);
    }
    return Bug;
}
finally
{
    output.Close(patience);
}

void Balance()
{
    using var network = LinuxNetwork.Open(new LinuxNetworkOptions
    {
        Address = options.Listen.Address,
        Port = options.Listen.Port,
        ForceFallbacks = options.ForceFallbacks,
        BackendUsers = options.BackendUsers,
        DatagramBufferBytes = options.UdpBuffer,
    });
    using var directory = new SocketDirectory(
        Encoding.UTF8.GetBytes(options.BackendPath), network, options.ForceFallbacks);
    foreach (var warning in network.Warnings)
        Warn(warning);
    foreach (var warning in directory.Warnings)
        Warn(warning);
    signals.Tell(network);
    if (signals.Warning is { } lacking)
        Warn(lacking);
    using var manager = new ServiceManager(
        Environment.GetEnvironmentVariable(ServiceManager.Variable), Warn);
    LinuxNetwork.RequireDescriptors(Limits.LeastFreeDescriptors);
    var room = DescriptorRoom.Measure(network);
    var connections = Math.Min(options.Balancer.TcpConnections, room.Connections);
    if (connections < options.Balancer.TcpConnections)
    {
        log.Write(new DaemonEvent.DescriptorLimit(
            room.Limit, connections, room.Limit - (2L * connections)));
    }
    var memory = MemoryRoom.Measure();
    var notReading = Math.Min(options.Balancer.TcpNotReading, memory.NotReading);
    var isBounded = memory.Connections < connections
        || notReading < options.Balancer.TcpNotReading
        || (options.MaxRemotes is null && memory.Remotes < Limits.MaxRemotes);
    connections = Math.Min(connections, memory.Connections);
    if (isBounded)
    {
        log.Write(new DaemonEvent.MemoryLimit(
            memory.Limit, options.MaxRemotes ?? memory.Remotes, connections, notReading));
    }
    if (options.NamesTcpConnections && connections < options.Balancer.TcpConnections)
    {
        log.Write(new DaemonEvent.TcpConnectionsLowered(
            options.Balancer.TcpConnections, connections));
    }

    var balancer = new LoadBalancer(network, directory, log, options.Balancer with
    {
        HashKey = RandomKey.Draw(),
        TcpConnections = connections,
        TcpNotReading = notReading,
        MaxRemotes = options.MaxRemotes ?? memory.Remotes,
        SessionMemory = memory.Sessions,
    }, TurnLimits.Standard);
    var loop = new EventLoop(new MonotonicClock(), network, balancer);
    manager.SayReady();
    bool goesOn;
    do
    {
        goesOn = loop.RunTurn();
        if (balancer.IsStopping)
            manager.SayStopping();
    }
    while (goesOn);
}

void Warn(string warning) => log.Write(new DaemonEvent.StartupWarning(warning));

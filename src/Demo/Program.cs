// The demo: three backends, one balancer, twelve client hosts, all of them on this machine, and a
// table that shows who answers whom while backends are killed and started again.
//
// What always holds: however it ends (Ctrl-C, its time, a failure), it leaves no process and no
// file behind. Exit status: 0; 1 when the balancer died, could not start or never answered; 64
// for a wrong command line.

using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Runtime.InteropServices;
using System.Threading;
using Demo;

const int Fine = 0;
const int Failed = 1;
const int WrongUsage = 64;

if (!Settings.TryRead(args, Environment.GetEnvironmentVariable, out var settings, out var wrong))
{
    Console.Error.WriteLine("bbal-demo: " + wrong);
    return WrongUsage;
}

using var stop = new ManualResetEventSlim();
using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
using var hangUp = PosixSignalRegistration.Create(PosixSignal.SIGHUP, Stop);
try
{
    using var stage = new Stage(settings);
    stage.Open(stop);
    var board = new Board(Stage.BackendIds, Enumerable.Range(2, 12).Select(
        host => string.Create(CultureInfo.InvariantCulture, $"127.0.0.{host}")));
    var clients = new List<Client>();
    foreach (var host in board.Hosts)
        clients.Add(Client.Start(host, board, settings.Port, stop));
    View.Run(board, settings.Port, refresh => new Script(stage, board, settings.Length)
        .Play(refresh, stop));
    stop.Set();
    clients.ForEach(client => client.Join());
    if (board.Answered == 0)
        throw new DemoException("the balancer answered no query");
    Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
        $"{board.Answered} of {board.Queries} queries answered."));
    return Fine;
}
catch (DemoException failure)
{
    stop.Set();
    Console.Error.WriteLine("bbal-demo: " + failure.Message);
    return Failed;
}

void Stop(PosixSignalContext context)
{
    context.Cancel = true;
    stop.Set();
}

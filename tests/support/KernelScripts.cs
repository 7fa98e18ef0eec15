// Owns what tests say of the simulated kernel in one word: the next calls of a kind that fail, and
// a client that must find room. The kernel itself has the general form of each.
//
// What always holds: nothing here has state.

using Balancer.Core;
using Simulation.Kernel;

namespace Tests.Support;

/// <summary>Short forms of what the simulated kernel can do.</summary>
public static class KernelScripts
{
    public static void NextAccept(this SimFaults faults, IoStatus status, int times = 1) =>
        faults.Next(SimCall.Accept, status, times);

    public static void NextConnect(this SimFaults faults, IoStatus status, int times = 1) =>
        faults.Next(SimCall.Connect, status, times);

    public static void NextRead(this SimFaults faults, IoStatus status, int times = 1) =>
        faults.Next(SimCall.Read, status, times);

    public static void NextWrite(this SimFaults faults, IoStatus status, int times = 1) =>
        faults.Next(SimCall.Write, status, times);

    public static void NextReceive(this SimFaults faults, IoStatus status, int times = 1) =>
        faults.Next(SimCall.ReceiveDatagrams, status, times);

    public static void NextOpenScan(this SimFaults faults, IoStatus status, int times = 1) =>
        faults.Next(SimCall.OpenScan, status, times);

    /// <summary>The next `times` datagrams sent fail so, each one counted.</summary>
    public static void NextSends(this SimFaults faults, IoStatus status, int times = 1) =>
        faults.Next(SimCall.SendDatagrams, status, times);

    /// <summary>
    /// The next k datagrams go out and the one after them fails: a partial sendmmsg, whose error is
    /// told by the call that begins with that datagram.
    /// </summary>
    public static void SendThenFail(this SimFaults faults, int sent, IoStatus status)
    {
        faults.Next(SimCall.SendDatagrams, IoResult.Ok(), sent);
        faults.Next(SimCall.SendDatagrams, status);
    }

    /// <summary>A TCP client connects, and it is the test's mistake if it cannot.</summary>
    public static SimStream ConnectClient(this SimKernel kernel, Endpoint from)
    {
        var client = kernel.TryConnectClient(from);
        Verify.That(client != null, "a client that must connect finds room in the backlog");
        return client;
    }
}

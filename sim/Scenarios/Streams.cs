// Owns the numbers by which the entities of a scenario tell their streams of draws apart.
//
// What always holds: numbers are never changed or used again, since every seed's run and every
// golden test hangs on them.

namespace Simulation.Scenarios;

/// <summary>The first number of SimRandom.Derive: what kind of entity draws.</summary>
public static class Streams
{
    public const int Kernel = 1;
    public const int Backend = 2;
    public const int UdpClient = 3;
    public const int TcpClient = 4;
    public const int Fault = 5;

    /// <summary>The last number of Derive where a run draws; the generator's are below.</summary>
    public const int ScanOrder = 1000;

    public const int HashKey = 1001;

    public const int Transit = 1002;

    public const int Payload = 1003;

    public const int EventOrder = 1004;
}

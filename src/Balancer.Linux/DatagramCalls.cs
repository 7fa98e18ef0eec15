// Owns the receiving and sending of datagrams on the one UDP socket: a whole batch in a system
// call, or, where that is not known (KnownCalls), one call per datagram with the same memory and
// the same result.
//
// What always holds: nothing is allocated for the batches of a balancer after the start; an error
// is reported only when no datagram came or went, so that none is ever lost or done twice.

using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using Balancer.Core;
using Balancer.Linux.Interop;

namespace Balancer.Linux;

internal sealed unsafe class DatagramCalls : IDisposable
{
    /// <summary>The queries; replies, and answers of the balancer's own.</summary>
    private const int BatchesReceived = 1;
    private const int BatchesSent = 2;

    private readonly int _fd;
    private readonly bool _hasPacketInfo;
    private readonly Ipv4 _boundTo;
    private readonly List<DatagramVectors> _receiving = [];
    private readonly List<DatagramVectors> _sending = [];
    private readonly KnownCalls _calls;

    /// <param name="fd">The bound UDP socket, closed by its owner.</param>
    /// <param name="boundTo">The address it is bound to.</param>
    /// <param name="hasPacketInfo">IP_PKTINFO is on; then boundTo is Any.</param>
    /// <param name="calls">Whether a call may take many datagrams.</param>
    internal DatagramCalls(int fd, Ipv4 boundTo, bool hasPacketInfo, KnownCalls calls)
    {
        _fd = fd;
        _boundTo = boundTo;
        _hasPacketInfo = hasPacketInfo;
        _calls = calls;
        for (var n = 0; n < BatchesReceived; n++)
            _receiving.Add(new DatagramVectors(hasPacketInfo));
        for (var n = 0; n < BatchesSent; n++)
            _sending.Add(new DatagramVectors(hasPacketInfo));
    }

    internal IoResult Receive(DatagramBatch batch)
    {
        batch.Clear();
        var vectors = Find(_receiving, batch);
        Rearm(vectors);
        var errno = 0;
        var count = _calls.ReceivesBatches
            ? ReceiveTogether(vectors, out errno)
            : ReceiveOneByOne(vectors, out errno);
        vectors.Touched = Math.Max(count, 0);
        if (count <= 0)
            return Errno.Result(errno);
        for (var i = 0; i < count; i++)
            ReadHeader(vectors, i, ref batch.Headers[i]);
        batch.SetCount(count);
        return IoResult.Ok(count);
    }

    internal IoResult Send(DatagramBatch batch, int first)
    {
        Verify.That((uint)first < (uint)batch.Count, "there is a datagram to send");
        var vectors = Find(_sending, batch);
        for (var i = first; i < batch.Count; i++)
            WriteHeader(vectors, i, in batch.Headers[i]);
        var errno = 0;
        var count = _calls.SendsBatches
            ? SendTogether(vectors, first, batch.Count - first, out errno)
            : SendOneByOne(vectors, first, batch.Count - first, out errno);
        return count > 0 ? IoResult.Ok(count) : Errno.Result(errno);
    }

    public void Dispose()
    {
        foreach (var vectors in _receiving)
            vectors.Dispose();
        foreach (var vectors in _sending)
            vectors.Dispose();
    }

    /// <summary>
    /// There are two or three batches in a process, so a list is looked through. Those of a
    /// balancer are described by what was made at the start.
    /// </summary>
    private DatagramVectors Find(List<DatagramVectors> known, DatagramBatch batch)
    {
        foreach (var vectors in known)
        {
            if (vectors.Batch is null)
                vectors.Describe(batch);
            if (ReferenceEquals(vectors.Batch, batch))
                return vectors;
        }
        var added = new DatagramVectors(_hasPacketInfo);
        added.Describe(batch);
        known.Add(added);
        return added;
    }

    // ---- Receiving ----

    /// <summary>Undoes what the kernel changed in the messages that the last call filled.</summary>
    private void Rearm(DatagramVectors vectors)
    {
        for (var i = 0; i < vectors.Touched; i++)
            RearmOne(vectors, i);
    }

    private void RearmOne(DatagramVectors vectors, int index)
    {
        ref var header = ref vectors.Messages[index].Header;
        header.NameLength = (uint)sizeof(SocketAddressIn);
        header.ControlLength = _hasPacketInfo ? (nuint)sizeof(PacketInfoControl) : 0;
    }

    private int ReceiveTogether(DatagramVectors vectors, out int errno)
    {
        while (true)
        {
            var count = LibC.RecvMMsg(
                _fd, vectors.Messages, DatagramBatch.Capacity, C.MSG_DONTWAIT, null);
            errno = count < 0 ? LibC.Errno : 0;
            if (errno != Errno.EINTR)
                return count;
        }
    }

    private int ReceiveOneByOne(DatagramVectors vectors, out int errno)
    {
        errno = 0;
        var count = 0;
        while (count < DatagramBatch.Capacity)
        {
            var message = &vectors.Messages[count];
            var bytes = LibC.RecvMsg(_fd, &message->Header, C.MSG_DONTWAIT);
            errno = bytes < 0 ? LibC.Errno : 0;
            if (bytes >= 0)
            {
                message->Length = (uint)bytes;
                count++;
            }
            else if (errno != Errno.EINTR)
            {
                break;
            }
        }
        return count;
    }

    private void ReadHeader(DatagramVectors vectors, int index, ref DatagramHeader header)
    {
        ref var message = ref vectors.Messages[index];
        ref var name = ref vectors.Name(index);
        header.Peer = new Endpoint(
            new Ipv4(BinaryPrimitives.ReverseEndianness(name.NetworkAddress)),
            BinaryPrimitives.ReverseEndianness(name.NetworkPort));
        header.Length = (int)message.Length;
        header.Truncated = (message.Header.Flags & C.MSG_TRUNC) != 0;
        header.Local = _boundTo;
        header.IsFromThisHost = false;
        if (_hasPacketInfo && message.Header.ControlLength >= PacketInfoControl.ControlLength)
        {
            // For a broadcast this is the host's own address, which a reply can leave from.
            ref var info = ref vectors.Control(index).Info;
            header.Local = new Ipv4(
                BinaryPrimitives.ReverseEndianness(info.NetworkSpecificDestination));
            // What a host sends to itself comes through its loopback, whatever the addresses.
            header.IsFromThisHost = info.Interface == C.LOOPBACK_IFINDEX;
        }
    }

    // ---- Sending ----

    private void WriteHeader(DatagramVectors vectors, int index, in DatagramHeader header)
    {
        ref var name = ref vectors.Name(index);
        name.Family = C.AF_INET;
        name.NetworkPort = BinaryPrimitives.ReverseEndianness(header.Peer.Port);
        name.NetworkAddress = BinaryPrimitives.ReverseEndianness(header.Peer.Address.Value);
        vectors.Vector(index).Length = (nuint)header.Length;
        if (_hasPacketInfo)
            WriteControl(vectors, index, header.Local);
    }

    private static void WriteControl(DatagramVectors vectors, int index, Ipv4 local)
    {
        ref var message = ref vectors.Messages[index].Header;
        message.ControlLength = 0;
        if (local == Ipv4.Any)
            return;
        message.ControlLength = (nuint)sizeof(PacketInfoControl);
        ref var control = ref vectors.Control(index);
        control.Header.Length = PacketInfoControl.ControlLength;
        control.Header.Level = C.IPPROTO_IP;
        control.Header.Type = C.IP_PKTINFO;
        control.Info.Interface = 0;
        control.Info.NetworkSpecificDestination =
            BinaryPrimitives.ReverseEndianness(local.Value);
        control.Info.NetworkHeaderDestination = 0;
    }

    private int SendTogether(DatagramVectors vectors, int first, int wanted, out int errno)
    {
        while (true)
        {
            var count = LibC.SendMMsg(_fd, vectors.Messages + first, (uint)wanted,
                C.MSG_DONTWAIT | C.MSG_NOSIGNAL);
            errno = count < 0 ? LibC.Errno : 0;
            if (errno != Errno.EINTR)
                return count;
        }
    }

    private int SendOneByOne(DatagramVectors vectors, int first, int wanted, out int errno)
    {
        errno = 0;
        var count = 0;
        while (count < wanted)
        {
            var sent = LibC.SendMsg(_fd, &vectors.Messages[first + count].Header,
                C.MSG_DONTWAIT | C.MSG_NOSIGNAL);
            errno = sent < 0 ? LibC.Errno : 0;
            if (sent >= 0)
                count++;
            else if (errno != Errno.EINTR)
                break;
        }
        return count;
    }
}

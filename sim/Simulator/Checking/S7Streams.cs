// Claims that what arrives on one side of a TCP connection is a prefix of what was sent on the
// other, and all of it on a clean end; that nothing reaches the client before INBOUND_TCP_OK; that
// an end comes after all bytes, is passed on within the turn in which all are out, and that the
// two directions end independently, the second with the connection; that a client whose answer was
// cut sees no clean end.
//
// It knows by the bytes read from each stream, which are what may be written to the other, and by
// the ends read and made. The kernel's own part is the contract suite's.

using Simulation.Model;

namespace Simulation.Checking;

internal sealed class S7Streams() : Check("S7")
{
    public override bool Claims(ViolationKind kind) => kind is ViolationKind.Relay;
}

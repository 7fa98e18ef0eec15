// Claims that each datagram sent is one whole OUTBOUND_UDP of a live session, of 0 to 1,500 bytes,
// to port 1 to 65,535 of a remote that asked, from the address that it asked; sends that failed
// included, because they were tried.
//
// It knows by decoding what backends wrote with a decoder of its own, and by the order of replies.

using Simulation.Model;

namespace Simulation.Checking;

internal sealed class S5NoInvention() : Check("S5")
{
    public override bool Claims(ViolationKind kind) => kind is ViolationKind.ReplyInvented;
}

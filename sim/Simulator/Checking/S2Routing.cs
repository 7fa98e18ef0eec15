// Claims that every query and connection goes where the policy says: to the primary if it is
// healthy, else to the backup if it is, else to the next healthy one, else nowhere; and that
// nothing is written to a session that has ended.
//
// It knows by deciding each arrival with PolicyModel, whose backends are healthy by the bytes that
// were read from them, and comparing what is written to every session with what is owed to it.

using Simulation.Model;

namespace Simulation.Checking;

internal sealed class S2Routing() : Check("S2")
{
    public override bool Claims(ViolationKind kind) => kind is ViolationKind.Misrouted
        or ViolationKind.OutlivedItsEnd or ViolationKind.PrimaryChanged;
}

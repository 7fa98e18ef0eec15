// Owns whose sockets may be backends: the user who owns an entry of the directory, and the user who
// listens on it, as the kernel has it of the moment of listen (SO_PEERCRED). Both are asked, since
// an entry can be given away with chown, and a bound socket can be handed to another process. Of a
// link its own owner counts as well, since a link may lead to a socket that its owner cannot reach.
//
// What always holds: where no users are named, all may.

using System.Collections.Generic;
using Balancer.Linux.Interop;

namespace Balancer.Linux;

internal sealed unsafe class BackendUsers(IReadOnlyList<uint> users)
{
    /// <summary>Whether an entry of this owner may be a backend's.</summary>
    internal bool MayOwn(uint user)
    {
        if (users.Count == 0)
            return true;
        foreach (var one in users)
        {
            if (one == user)
                return true;
        }
        return false;
    }

    /// <summary>
    /// Whether a link of this owner may lead to a backend: one of those users has made it, or root,
    /// or whoever the directory belongs to.
    /// </summary>
    internal bool MayLink(uint user, uint directoryOwner) =>
        user == 0 || user == directoryOwner || MayOwn(user);

    /// <summary>Whether the user who listens at a stream's other end may be a backend.</summary>
    internal bool MayListen(int stream)
    {
        if (users.Count == 0)
            return true;
        PeerCredentials peer = default;
        var length = (uint)sizeof(PeerCredentials);
        return LibC.GetSockOpt(stream, C.SOL_SOCKET, C.SO_PEERCRED, &peer, &length) == 0
            && MayOwn(peer.User);
    }
}

// Owns the numbers of the answers that mean something here.
//
// What always holds: they are DNS's own, and so may be written as they are.

namespace Balancer.Core;

/// <summary>What an answer says of its query, as DNS numbers it (RFC 1035, 4.1.1).</summary>
internal enum ResponseCode : byte
{
    NoError = 0,
    ServerFailure = 2,
    NameError = 3,
    Refused = 5,
}

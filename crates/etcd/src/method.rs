//! The calls that are served, by their paths.

/// The shape of a call; the names are those of etcd's metrics.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shape {
    /// One message each way.
    Unary,
    /// One request message, many responses.
    ServerStream,
    /// Many both ways.
    BidiStream,
}

impl Shape {
    /// The name in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Shape::Unary => "unary",
            Shape::ServerStream => "server_stream",
            Shape::BidiStream => "bidi_stream",
        }
    }
}

macro_rules! methods {
    ($($(#[$doc:meta])* $name:ident = $service:literal / $method:literal $shape:ident,)*) => {
        /// A call that is served.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
        pub enum Method {
            $($(#[$doc])* $name,)*
        }

        impl Method {
            /// All of them.
            pub const ALL: &[Method] = &[$(Method::$name),*];

            /// The call with this path.
            pub fn of_path(path: &str) -> Option<Method> {
                match path {
                    $(concat!("/", $service, "/", $method) => Some(Method::$name),)*
                    _ => None,
                }
            }

            /// The service it belongs to.
            pub fn service(self) -> &'static str {
                match self {
                    $(Method::$name => $service,)*
                }
            }

            /// Its name within the service.
            pub fn name(self) -> &'static str {
                match self {
                    $(Method::$name => $method,)*
                }
            }

            /// Its shape.
            pub fn shape(self) -> Shape {
                match self {
                    $(Method::$name => Shape::$shape,)*
                }
            }
        }
    };
}

methods! {
    /// Reads pairs.
    Range = "etcdserverpb.KV" / "Range" Unary,
    /// Writes a pair.
    Put = "etcdserverpb.KV" / "Put" Unary,
    /// Deletes pairs.
    DeleteRange = "etcdserverpb.KV" / "DeleteRange" Unary,
    /// Runs a transaction.
    Txn = "etcdserverpb.KV" / "Txn" Unary,
    /// Drops history.
    Compact = "etcdserverpb.KV" / "Compact" Unary,
    /// Watches keys.
    Watch = "etcdserverpb.Watch" / "Watch" BidiStream,
    /// Makes a lease.
    LeaseGrant = "etcdserverpb.Lease" / "LeaseGrant" Unary,
    /// Ends a lease.
    LeaseRevoke = "etcdserverpb.Lease" / "LeaseRevoke" Unary,
    /// Renews leases.
    LeaseKeepAlive = "etcdserverpb.Lease" / "LeaseKeepAlive" BidiStream,
    /// How long a lease still lives.
    LeaseTimeToLive = "etcdserverpb.Lease" / "LeaseTimeToLive" Unary,
    /// All leases.
    LeaseLeases = "etcdserverpb.Lease" / "LeaseLeases" Unary,
    /// Adds a member.
    MemberAdd = "etcdserverpb.Cluster" / "MemberAdd" Unary,
    /// Removes a member.
    MemberRemove = "etcdserverpb.Cluster" / "MemberRemove" Unary,
    /// Changes the peer URLs of a member.
    MemberUpdate = "etcdserverpb.Cluster" / "MemberUpdate" Unary,
    /// All members.
    MemberList = "etcdserverpb.Cluster" / "MemberList" Unary,
    /// Gives a learner its vote.
    MemberPromote = "etcdserverpb.Cluster" / "MemberPromote" Unary,
    /// Alarms.
    Alarm = "etcdserverpb.Maintenance" / "Alarm" Unary,
    /// The status of a member.
    Status = "etcdserverpb.Maintenance" / "Status" Unary,
    /// Nothing to do here.
    Defragment = "etcdserverpb.Maintenance" / "Defragment" Unary,
    /// A hash of everything.
    Hash = "etcdserverpb.Maintenance" / "Hash" Unary,
    /// A hash of the history.
    HashKv = "etcdserverpb.Maintenance" / "HashKV" Unary,
    /// A copy of the state.
    Snapshot = "etcdserverpb.Maintenance" / "Snapshot" ServerStream,
    /// Hands leadership over.
    MoveLeader = "etcdserverpb.Maintenance" / "MoveLeader" Unary,
    /// Turns auth on.
    AuthEnable = "etcdserverpb.Auth" / "AuthEnable" Unary,
    /// Turns auth off.
    AuthDisable = "etcdserverpb.Auth" / "AuthDisable" Unary,
    /// Whether auth is on.
    AuthStatus = "etcdserverpb.Auth" / "AuthStatus" Unary,
    /// Logs in.
    Authenticate = "etcdserverpb.Auth" / "Authenticate" Unary,
    /// Adds a user.
    UserAdd = "etcdserverpb.Auth" / "UserAdd" Unary,
    /// The roles of a user.
    UserGet = "etcdserverpb.Auth" / "UserGet" Unary,
    /// All users.
    UserList = "etcdserverpb.Auth" / "UserList" Unary,
    /// Removes a user.
    UserDelete = "etcdserverpb.Auth" / "UserDelete" Unary,
    /// Replaces a password.
    UserChangePassword = "etcdserverpb.Auth" / "UserChangePassword" Unary,
    /// Gives a user a role.
    UserGrantRole = "etcdserverpb.Auth" / "UserGrantRole" Unary,
    /// Takes a role from a user.
    UserRevokeRole = "etcdserverpb.Auth" / "UserRevokeRole" Unary,
    /// Adds a role.
    RoleAdd = "etcdserverpb.Auth" / "RoleAdd" Unary,
    /// The permissions of a role.
    RoleGet = "etcdserverpb.Auth" / "RoleGet" Unary,
    /// All roles.
    RoleList = "etcdserverpb.Auth" / "RoleList" Unary,
    /// Removes a role.
    RoleDelete = "etcdserverpb.Auth" / "RoleDelete" Unary,
    /// Gives a role a permission.
    RoleGrantPermission = "etcdserverpb.Auth" / "RoleGrantPermission" Unary,
    /// Takes a permission from a role.
    RoleRevokePermission = "etcdserverpb.Auth" / "RoleRevokePermission" Unary,
    /// Whether the server serves.
    HealthCheck = "grpc.health.v1.Health" / "Check" Unary,
    /// Tells when that changes.
    HealthWatch = "grpc.health.v1.Health" / "Watch" ServerStream,
}

/// The services and calls that etcd serves and this door does not yet.
const UNSERVED: &[&str] = &[
    "/v3electionpb.Election/",
    "/v3lockpb.Lock/",
    "/etcdserverpb.KV/RangeStream",
    "/etcdserverpb.Maintenance/Downgrade",
];

/// The text for a call that is not served.
pub fn unserved(path: &str) -> String {
    if UNSERVED.iter().any(|prefix| path.starts_with(prefix)) {
        return format!("volvox does not serve {} yet", path.trim_start_matches('/'));
    }
    match path.trim_start_matches('/').rsplit_once('/') {
        Some((service, method)) if Method::ALL.iter().any(|known| known.service() == service) => {
            format!("unknown method {method} for service {service}")
        }
        Some((service, _)) => format!("unknown service {service}"),
        None => format!("malformed method name: {path:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_method_is_found_by_its_path() {
        for method in Method::ALL {
            let path = format!("/{}/{}", method.service(), method.name());
            assert_eq!(Method::of_path(&path), Some(*method));
            assert_eq!(Method::of_path(&path[1..]), None);
        }
    }

    #[test]
    fn what_is_not_served_says_so() {
        assert_eq!(unserved("/v3lockpb.Lock/Unlock"), "volvox does not serve v3lockpb.Lock/Unlock yet");
        assert_eq!(unserved("/etcdserverpb.KV/Frob"), "unknown method Frob for service etcdserverpb.KV");
        assert_eq!(unserved("/a.B/C"), "unknown service a.B");
        assert_eq!(unserved("/"), "malformed method name: \"/\"");
    }
}

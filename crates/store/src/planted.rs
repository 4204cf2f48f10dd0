//! A bug of this layer, one line beside its rule, for the sweep to find. Without the feature `planted-bugs` the query is
//! constant at compile time, and nothing of it remains.

volvox_core::planted_bugs! {
    /// A bug that can be planted.
    pub enum Bug {
        /// A request is authorised although users or roles changed since its caller was identified.
        AuthRevisionIgnored = "auth-revision-ignored",
    }
}

//! Who is calling: bearer tokens in, [`Principal`]s out.

mod bootstrap;
mod keys;
mod principal;
mod token;

pub use bootstrap::{BootstrapAdmin, LoginGate, LoginRefusal};
pub use keys::{AuthKeys, AuthKeysError};
pub use principal::{Permission, Principal, Reach, Role};
pub use token::{ACCESS_TOKEN_LIFE, SessionIdentity, TokenError, Tokens};

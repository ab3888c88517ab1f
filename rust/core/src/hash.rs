pub use crate::sm2::scratch::{Sm3, hmac_sm3};

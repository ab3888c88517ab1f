//! Requests to Valgrind's memcheck; without Valgrind they do nothing.

use core::arch::asm;

const RUNNING_ON_VALGRIND: usize = 0x1001;
const COUNT_ERRORS: usize = 0x1201;
const MAKE_UNDEFINED: usize = 0x4d43_0001;
const MAKE_DEFINED: usize = 0x4d43_0002;

/// Runs `act` on secret bytes and demands that memcheck sees no more uses of them than declared:
/// decisions that are public, such as accept or reject.
pub fn watch<T>(name: &str, declared: usize, act: impl FnOnce(&mut [u8; SECRET_SIZE]) -> T) {
    let mut secret: [u8; SECRET_SIZE] = core::array::from_fn(|i| (i * 31 + 5) as u8);
    make_bytes_secret(&mut secret);
    let before = errors();
    let result = act(&mut secret);
    let seen = errors() - before;
    // Dropping may free, and thereby look at, what has become secret.
    core::mem::forget(result);
    make_bytes_public(&mut secret);
    println!("{name}: {seen} of {declared}");
    assert!(seen <= declared, "{name}: {seen} uses of a secret, {declared} declared");
}

/// Bytes that [`watch`] gives.
pub const SECRET_SIZE: usize = 400;

/// Whether memcheck watches.
pub fn is_running() -> bool {
    request(RUNNING_ON_VALGRIND, 0, 0) != 0
}

/// How many errors memcheck has seen.
pub fn errors() -> usize {
    request(COUNT_ERRORS, 0, 0)
}

/// From here on every branch and address that depends on the value is an error.
pub fn make_secret<T: Copy>(value: &mut T) {
    request(MAKE_UNDEFINED, (&raw mut *value) as usize, size_of::<T>());
}

/// As [`make_secret`], for bytes.
pub fn make_bytes_secret(bytes: &mut [u8]) {
    request(MAKE_UNDEFINED, bytes.as_mut_ptr() as usize, bytes.len());
}

/// As [`make_public`], for bytes.
pub fn make_bytes_public(bytes: &mut [u8]) {
    request(MAKE_DEFINED, bytes.as_mut_ptr() as usize, bytes.len());
}

/// The value may be branched on again.
pub fn make_public<T: Copy>(value: &mut T) {
    request(MAKE_DEFINED, (&raw mut *value) as usize, size_of::<T>());
}

fn request(code: usize, first: usize, second: usize) -> usize {
    let arguments = [code, first, second, 0, 0, 0];
    let mut result = 0usize;
    // SAFETY: rotations of a register by 128 bits in all and an exchange of a register with itself:
    // the processor does nothing, Valgrind recognises them and reads `arguments`.
    unsafe {
        asm!(
            "rol rdi, 3",
            "rol rdi, 13",
            "rol rdi, 61",
            "rol rdi, 51",
            "xchg rbx, rbx",
            in("rax") arguments.as_ptr(),
            inout("rdx") result,
            inout("rdi") 0usize => _,
        );
    }
    result
}

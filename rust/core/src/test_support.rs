//! What the tests of several modules need.

/// Bytes from hexadecimal digits.
pub fn hex(digits: &str) -> Vec<u8> {
    let nibble =
        |digit: u8| (digit as char).to_digit(16).unwrap_or_else(|| panic!("not hexadecimal"));
    digits
        .as_bytes()
        .chunks_exact(2)
        .map(|pair| (nibble(pair[0]) * 16 + nibble(pair[1])) as u8)
        .collect()
}

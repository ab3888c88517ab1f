//! The S-box of SM4 as algebra, worked out by the compiler: no table of it stands anywhere.
//!
//! SM4's S-box is S(x) = A(1 / A(x)), with A affine over GF(2) and the inverse taken in GF(2^8)
//! modulo x^8 + x^7 + x^6 + x^5 + x^4 + x^2 + 1. Both back-ends compute it in another
//! representation of the same field, where the inverse is cheap: the portable one in a tower of
//! quadratic extensions, the x86-64 one in the field of AES, whose S-box is an instruction.

/// An affine map of GF(2)^8: column i is what bit i contributes.
#[derive(Clone, Copy)]
pub struct Affine {
    pub columns: [u8; 8],
    pub constant: u8,
}

impl Affine {
    const IDENTITY: Self = Self { columns: [1, 2, 4, 8, 16, 32, 64, 128], constant: 0 };

    pub const fn apply(&self, x: u8) -> u8 {
        self.linear(x) ^ self.constant
    }

    /// Without the constant.
    pub const fn linear(&self, x: u8) -> u8 {
        let mut sum = 0;
        let mut bit = 0;
        while bit < 8 {
            if x >> bit & 1 == 1 {
                sum ^= self.columns[bit];
            }
            bit += 1;
        }
        sum
    }

    /// First `first`, then `self`.
    pub const fn after(&self, first: &Self) -> Self {
        let mut columns = [0; 8];
        let mut bit = 0;
        while bit < 8 {
            columns[bit] = self.linear(first.columns[bit]);
            bit += 1;
        }
        Self { columns, constant: self.apply(first.constant) }
    }

    /// The map that undoes this one, which must be a bijection.
    pub const fn inverse(&self) -> Self {
        let mut inverse = Self { columns: [0; 8], constant: 0 };
        let mut value = 0;
        while value < 256 {
            let image = self.linear(value as u8);
            if image.count_ones() == 1 {
                inverse.columns[image.trailing_zeros() as usize] = value as u8;
            }
            value += 1;
        }
        inverse.constant = inverse.linear(self.constant);
        inverse
    }

    /// The sum of two maps.
    pub const fn plus(&self, other: &Self) -> Self {
        let mut columns = [0; 8];
        let mut bit = 0;
        while bit < 8 {
            columns[bit] = self.columns[bit] ^ other.columns[bit];
            bit += 1;
        }
        Self { columns, constant: self.constant ^ other.constant }
    }

    /// `x`, shifted left (right for a negative number) by so many bits.
    pub const fn shift(bits: i32) -> Self {
        let mut columns = [0; 8];
        let mut bit = 0;
        while bit < 8 {
            columns[bit] = if bits >= 0 {
                Self::IDENTITY.columns[bit] << bits
            } else {
                Self::IDENTITY.columns[bit] >> -bits
            };
            bit += 1;
        }
        Self { columns, constant: 0 }
    }
}

/// A of the S-box: row i is 0xA7 rotated left by i, the constant 0xD3.
pub const A: Affine = {
    let mut columns = [0u8; 8];
    let mut row = 0;
    while row < 8 {
        let taps = 0xa7u8.rotate_left(row);
        let mut bit = 0;
        while bit < 8 {
            columns[bit] |= (taps >> bit & 1) << row;
            bit += 1;
        }
        row += 1;
    }
    Affine { columns, constant: 0xd3 }
};

/// The affine map of the AES S-box (FIPS 197, 5.1.1).
pub const AES_AFFINE: Affine = {
    let mut columns = [0u8; 8];
    let mut bit = 0;
    while bit < 8 {
        let x = Affine::IDENTITY.columns[bit];
        columns[bit] =
            x ^ x.rotate_left(1) ^ x.rotate_left(2) ^ x.rotate_left(3) ^ x.rotate_left(4);
        bit += 1;
    }
    Affine { columns, constant: 0x63 }
};

/// x^8 is the sum of these powers of x in SM4's field.
const SM4_FIELD: u16 = 0x1f5;
/// x^8 + x^4 + x^3 + x + 1, the field of AES.
const AES_FIELD: u16 = 0x11b;

/// Into the input of the AES S-box: S(x) = `FROM_AES(aes_s_box(INTO_AES(x)))`.
pub const INTO_AES: Affine = SM4_TO_AES.after(&A);
/// Out of the output of the AES S-box.
pub const FROM_AES: Affine = A.after(&SM4_TO_AES.inverse().after(&AES_AFFINE.inverse()));

/// Into the tower: S(x) = `FROM_TOWER(1 / INTO_TOWER(x))`.
pub const INTO_TOWER: Affine = SM4_TO_TOWER.after(&A);
/// Out of the tower.
pub const FROM_TOWER: Affine = A.after(&SM4_TO_TOWER.inverse());

const SM4_TO_AES: Affine = {
    let mut candidate = 2;
    while !is_root_in_aes(candidate) {
        candidate += 1;
    }
    let mut columns = [1; 8];
    let mut bit = 1;
    while bit < 8 {
        columns[bit] = multiply(columns[bit - 1], candidate, AES_FIELD);
        bit += 1;
    }
    Affine { columns, constant: 0 }
};

const SM4_TO_TOWER: Affine = {
    let mut candidate = 2;
    while !is_root_in_tower(candidate) {
        candidate += 1;
    }
    let mut columns = [1; 8];
    let mut bit = 1;
    while bit < 8 {
        columns[bit] = tower_multiply(columns[bit - 1], candidate);
        bit += 1;
    }
    Affine { columns, constant: 0 }
};

/// Whether SM4's polynomial is zero at `x` of the field of AES (by Horner's rule).
const fn is_root_in_aes(x: u8) -> bool {
    let mut sum = 0;
    let mut power = 9;
    while power > 0 {
        power -= 1;
        sum = multiply(sum, x, AES_FIELD) ^ (SM4_FIELD >> power & 1) as u8;
    }
    sum == 0
}

/// Whether SM4's polynomial is zero at `x` of the tower.
const fn is_root_in_tower(x: u8) -> bool {
    let mut sum = 0;
    let mut power = 9;
    while power > 0 {
        power -= 1;
        sum = tower_multiply(sum, x) ^ (SM4_FIELD >> power & 1) as u8;
    }
    sum == 0
}

const fn multiply(a: u8, b: u8, field: u16) -> u8 {
    let (mut product, mut bit) = (0, 8);
    while bit > 0 {
        bit -= 1;
        product <<= 1;
        if product & 0x100 != 0 {
            product ^= field;
        }
        if b >> bit & 1 == 1 {
            product ^= a as u16;
        }
    }
    product as u8
}

/// GF(2^8) = GF(2^4)[y] / (y^2 + y + wz): the low four bits are the coefficient of 1.
const fn tower_multiply(a: u8, b: u8) -> u8 {
    let (a0, a1, b0, b1) = (a & 15, a >> 4, b & 15, b >> 4);
    let high = multiply16(a1, b1);
    let low = multiply16(a0, b0);
    let cross = multiply16(a0 ^ a1, b0 ^ b1) ^ low;
    cross << 4 | (low ^ multiply16(high, 0b1000))
}

/// GF(2^4) = GF(2^2)[z] / (z^2 + z + w).
const fn multiply16(a: u8, b: u8) -> u8 {
    let (a0, a1, b0, b1) = (a & 3, a >> 2, b & 3, b >> 2);
    let high = multiply4(a1, b1);
    let low = multiply4(a0, b0);
    let cross = multiply4(a0 ^ a1, b0 ^ b1) ^ low;
    cross << 2 | (low ^ multiply4(high, 0b10))
}

/// GF(2^2) = GF(2)[w] / (w^2 + w + 1).
const fn multiply4(a: u8, b: u8) -> u8 {
    let (a0, a1, b0, b1) = (a & 1, a >> 1, b & 1, b >> 1);
    let high = a1 & b1;
    let low = a0 & b0;
    let cross = ((a0 ^ a1) & (b0 ^ b1)) ^ low;
    cross << 1 | (low ^ high)
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// The S-box by its definition.
    pub fn s_box(x: u8) -> u8 {
        let inverse = (0..254).fold(1, |power, _| multiply(power, A.apply(x), SM4_FIELD));
        A.apply(inverse)
    }

    /// The inverse in AES's field, of 0 it is 0.
    pub fn aes_inverse(x: u8) -> u8 {
        (0..254).fold(1, |power, _| multiply(power, x, AES_FIELD))
    }

    #[test]
    fn the_definition_gives_the_table_of_the_standard() {
        // GB/T 32907-2016, table 1, the first and the last row; 6.2, S(EF) = 84.
        let first: Vec<u8> = (0..16).map(s_box).collect();
        assert_eq!(first[..8], [0xd6, 0x90, 0xe9, 0xfe, 0xcc, 0xe1, 0x3d, 0xb7]);
        assert_eq!(first[8..], [0x16, 0xb6, 0x14, 0xc2, 0x28, 0xfb, 0x2c, 0x05]);
        let last: Vec<u8> = (0xf0..=0xff).map(s_box).collect();
        assert_eq!(last[..8], [0x18, 0xf0, 0x7d, 0xec, 0x3a, 0xdc, 0x4d, 0x20]);
        assert_eq!(last[8..], [0x79, 0xee, 0x5f, 0x3e, 0xd7, 0xcb, 0x39, 0x48]);
        assert_eq!(s_box(0xef), 0x84);
    }

    #[test]
    fn the_other_fields_give_the_same_s_box() {
        let aes = |x| AES_AFFINE.apply(aes_inverse(x));
        let tower = |x| (0..254).fold(1, |power, _| tower_multiply(power, x));
        for x in 0..=255 {
            assert_eq!(FROM_AES.apply(aes(INTO_AES.apply(x))), s_box(x));
            assert_eq!(FROM_TOWER.apply(tower(INTO_TOWER.apply(x))), s_box(x));
        }
    }
}

//! The maps of bytes between which the S-box of AES, or the inversion of GFNI, stands.
//!
//! Every word X of the state is kept as its image under the linear part of `INTO_AES`, byte by
//! byte, and so is every round key (plus the constant of that map). The sum X1 + X2 + X3 + rk is
//! then at once the input of the AES S-box. Behind it, the way out of AES's field, the linear layer
//! L and the way back into the image are all linear, so they melt into two maps E and F of bytes.
//! With z the output of the AES S-box, r a rotation of the word by eight bits, e = E z and f = F z,
//!
//! ```text
//! T = e + r f + r^2 f + r^3 (e + f)
//! ```
//!
//! because L(B) = B + (B <<< 24) + (Y <<< 2) with Y = B + (B <<< 8) + (B <<< 16), and a rotation by
//! two takes `shift(2)` of the same byte and `shift(-6)` of the one below. Two rotations are enough:
//!
//! ```text
//! T = f + v + r^3 v    with    v = (e + f) + r^2 f
//! ```
//!
//! L' of the key schedule, B + (B <<< 13) + (B <<< 23), likewise is k0 + r k1 + r^2 k2 + r^3 k3.

use crate::sm4::algebra::{AES_AFFINE, Affine, FROM_AES, INTO_AES};
use crate::sm4::{Block, CK, ROUNDS};

/// The linear part of `INTO_AES`.
pub const IMAGE: Affine = Affine { columns: INTO_AES.columns, constant: 0 };
/// Back from the image.
pub const LEAVE: Affine = IMAGE.inverse();

/// E + F.
pub const E_PLUS_F: Affine = from_z(&Affine::shift(0).plus(&Affine::shift(-6)));
/// F carries the constant of the whole round, which T as above counts once. L takes a word of four
/// equal bytes t to the word of bytes t <<< 2.
pub const F: Affine = {
    let constant = IMAGE.linear(FROM_AES.constant.rotate_left(2));
    Affine { columns: from_z(&Affine::shift(2).plus(&Affine::shift(-6))).columns, constant }
};

/// The maps of L', from the S-box of AES into the image; the first carries the constant.
pub const SCHEDULE: [Affine; 4] = {
    let c = FROM_AES.constant;
    let constant = IMAGE.linear(c ^ c.rotate_left(5) ^ c.rotate_left(7));
    [
        Affine { columns: from_z(&Affine::shift(0)).columns, constant },
        from_z(&Affine::shift(5)),
        from_z(&Affine::shift(7).plus(&Affine::shift(-3))),
        from_z(&Affine::shift(-1)),
    ]
};

/// From the output of the AES S-box out of its field, through a part of L, into the image.
const fn from_z(part: &Affine) -> Affine {
    IMAGE.after(&part.after(&Affine { columns: FROM_AES.columns, constant: 0 }))
}

/// CK, mapped as the round keys are.
pub const CK_MAPPED: [u32; ROUNDS] = {
    let mut mapped = [0; ROUNDS];
    let mut round = 0;
    while round < ROUNDS {
        mapped[round] = map_word(CK[round]);
        round += 1;
    }
    mapped
};

/// What the input of the AES S-box wants added to the image.
pub const CONSTANT: u32 = INTO_AES.constant as u32 * 0x0101_0101;

/// The image of a round key, with the constant.
pub const fn map_word(word: u32) -> u32 {
    let mut sum = CONSTANT;
    let mut bit = 0;
    while bit < 8 {
        sum ^= ((word >> bit) & 0x0101_0101) * INTO_AES.columns[bit] as u32;
        bit += 1;
    }
    sum
}

/// From the inverse in AES's field to the output of the AES S-box.
pub const AFTER_INVERSION: Affine = AES_AFFINE;

/// The linear part of a map for GFNI: row i stands in byte 7 - i.
pub const fn matrix(map: &Affine) -> i64 {
    let mut matrix = 0;
    let mut place = 0;
    while place < 64 {
        let (row, column) = (place / 8, place % 8);
        let bit = (map.columns[column] >> row & 1) as i64;
        matrix |= bit << (8 * (7 - row) + column);
        place += 1;
    }
    matrix
}

/// A map for PSHUFB: a table for each half of the byte.
pub const fn nibble_tables(map: &Affine) -> [Block; 2] {
    let mut tables = [[0; 16]; 2];
    let mut nibble = 0;
    while nibble < 16 {
        tables[0][nibble] = map.apply(nibble as u8);
        tables[1][nibble] = map.linear((nibble as u8) << 4);
        nibble += 1;
    }
    tables
}

/// A shuffle that rotates each word left by 8k bits.
pub const fn rotation(k: usize) -> Block {
    let mut shuffle = [0; 16];
    let mut place = 0;
    while place < 16 {
        shuffle[place] = (place / 4 * 4 + (place % 4 + 4 - k) % 4) as u8;
        place += 1;
    }
    shuffle
}

/// A shuffle that undoes ShiftRows, then rotates each word left by 8k bits.
pub const fn straight_rotation(k: usize) -> Block {
    let mut shuffle = [0; 16];
    let mut place = 0;
    while place < 16 {
        let (column, row) = (place / 4, (place % 4 + 4 - k) % 4);
        shuffle[place] = (4 * ((column + 4 - row) % 4) + row) as u8;
        place += 1;
    }
    shuffle
}

/// A shuffle that rotates as [`rotation`] does, between ShiftRows and its undoing.
pub const fn rotation_of_shifted(k: usize) -> Block {
    let (straight, rotated) = (straight_rotation(0), straight_rotation(k));
    let mut shuffle = [0; 16];
    let mut place = 0;
    while place < 16 {
        shuffle[straight[place] as usize] = rotated[place];
        place += 1;
    }
    shuffle
}

/// A shuffle that reverses the bytes of each word.
pub const SWAP_WORDS: Block = [3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12];

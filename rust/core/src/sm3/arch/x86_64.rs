//! The compression function as instructions in an order of our choice.
//!
//! What bounds a round is the way from e to the e of the next: plus K, rotated (SS1), plus the rest
//! of TT2, and the two rotations and two sums of P0, six cycles in all. Two things keep everything
//! else off that way. The choice between f and g is made from the two halves whose sum e is, as
//! choose(u ^ v, f, g) = (!u & m) ^ ((v & m) ^ f) with m = f ^ g: u and v are there one and two
//! cycles before e. And the message is expanded in vectors, three words at a time, thirteen
//! rounds ahead, by units that rounds have no use for.

use core::arch::naked_asm;

use crate::sm3::BLOCK_SIZE;
use crate::sm3::portable::T;

/// Compresses whole blocks; `blocks` is a multiple of 64 bytes.
///
/// # Safety
/// The CPU has BMI1, BMI2 and AVX.
pub unsafe fn compress(state: &mut [u32; 8], blocks: &[u8]) {
    let blocks = blocks.as_chunks::<BLOCK_SIZE>().0.as_ptr_range();
    if !blocks.is_empty() {
        // SAFETY: the range has at least one block, the CPU what the caller promises.
        unsafe { compress_range(state, blocks.start, blocks.end) };
    }
}

/// What vectors are shuffled by: to the order of bytes in a word, and each word rotated left by 8.
#[repr(C, align(16))]
struct Shuffles([u8; 16], [u8; 16]);

static SHUFFLES: Shuffles = Shuffles(
    [3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12],
    [3, 0, 1, 2, 7, 4, 5, 6, 11, 8, 9, 10, 15, 12, 13, 14],
);

// Instructions, one a line.
macro_rules! lines {
    ($($line:expr),* $(,)?) => { concat!($($line, "\n"),*) };
}

// The stack holds the words of a block, their sums with the word four further on, and two pointers.
// What is written last reaches beyond what counts, for vectors have four words.
macro_rules! word {
    ($($j:tt)*) => { concat!("[rsp + 4 * (", stringify!($($j)*), ")]") };
}
macro_rules! sum {
    ($($j:tt)*) => { concat!("[rsp + 288 + 4 * (", stringify!($($j)*), ")]") };
}
macro_rules! state {
    () => {
        "[rsp + 576]"
    };
}
macro_rules! end {
    () => {
        "[rsp + 584]"
    };
}
/// With it, six registers and the address to return to, the stack is aligned to 16 bytes.
const FRAME: usize = 592 + 8;

// The function's instructions, in which "{j}" is T of round j.
macro_rules! with_constants {
    ($($part:expr),* $(,)?) => {
        with_constants!(@ concat!($($part),*);
            0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31
            32 33 34 35 36 37 38 39 40 41 42 43 44 45 46 47 48 49 50 51 52 53 54 55 56 57 58 59 60
            61 62 63)
    };
    (@ $text:expr; $($j:literal)*) => {
        naked_asm!(
            $text,
            $(const T[$j] as i32,)*
            frame = const FRAME,
            shuffles = sym SHUFFLES,
        )
    };
}

// The first sixteen words, the sums of the first four, and the words by three, the oldest first.
macro_rules! load {
    () => {
        concat!(
            load!("xmm0" 0),
            load!("xmm2" 4),
            load!("xmm6" 8),
            load!("xmm7" 12),
            lines!(
                "vpxor xmm8, xmm0, xmm2",
                concat!("vmovdqu ", sum!(0), ", xmm8"),
                "vpalignr xmm1, xmm2, xmm0, 4",
                "vpalignr xmm3, xmm6, xmm2, 12",
                "vpalignr xmm4, xmm7, xmm6, 8",
                "vpsrldq xmm5, xmm7, 4",
            ),
        )
    };
    ($words:literal $j:literal) => {
        lines!(
            concat!("vmovdqu ", $words, ", [rsi + 4 * ", $j, "]"),
            concat!("vpshufb ", $words, ", ", $words, ", xmm9"),
            concat!("vmovdqu ", word!($j), ", ", $words),
        )
    };
}

// The new state is the old one plus, modulo 2, what the rounds made of it (5.3.3).
macro_rules! feed_forward {
    ($($place:literal $offset:literal),*) => {
        concat!($(lines!(
            concat!("xor ", $place, ", [rdi + ", $offset, "]"),
            concat!("mov [rdi + ", $offset, "], ", $place),
        )),*)
    };
}

// Rounds by threes, with the expansion of three words amidst, or, where all words are there, with
// sums alone.
macro_rules! rounds {
    ([$a:literal $b:literal $c:literal $d:literal $e:literal $f:literal $g:literal $h:literal]
     [$w16:literal $w15:literal $w12:literal $w9:literal $w6:literal $w3:literal]
     expand $x:ident $i:literal $y:ident $j:literal $z:ident $k:literal, $($rest:tt)*) => {
        concat!(
            round!(
                $x $i, [$a $b $c $d $e $f $g $h],
                // From here on w15 holds what stands thirteen back.
                lines!(
                    concat!("vpslldq ", $w15, ", ", $w15, ", 4"),
                    concat!("vpalignr ", $w15, ", ", $w12, ", ", $w15, ", 12"),
                    concat!("vpslld xmm7, ", $w3, ", 15"),
                ),
                lines!(
                    concat!("vpsrld xmm8, ", $w3, ", 17"),
                    concat!("vpxor ", $w16, ", ", $w16, ", ", $w9),
                    "vpxor xmm7, xmm7, xmm8",
                    concat!("vpxor xmm6, ", $w15, ", ", $w9),
                )
            ),
            round!(
                $y $j, [$d $a $b $c $h $e $f $g],
                // What P1 is of, and of it x ^ ((x ^ (x <<< 8)) <<< 15).
                lines!(
                    concat!("vpxor ", $w16, ", ", $w16, ", xmm7"),
                    concat!("vmovdqu ", sum!($i + 3), ", xmm6"),
                    concat!("vpshufb xmm7, ", $w16, ", xmm10"),
                ),
                lines!(
                    concat!("vpslld xmm6, ", $w15, ", 7"),
                    concat!("vpxor xmm7, xmm7, ", $w16),
                    concat!("vpsrld xmm8, ", $w15, ", 25"),
                    concat!("vpxor xmm6, xmm6, ", $w6),
                )
            ),
            round!(
                $z $k, [$c $d $a $b $g $h $e $f],
                lines!(
                    concat!("vpxor ", $w16, ", ", $w16, ", xmm8"),
                    "vpslld xmm8, xmm7, 15",
                    "vpsrld xmm7, xmm7, 17",
                ),
                lines!(
                    concat!("vpxor ", $w16, ", ", $w16, ", xmm6"),
                    "vpxor xmm8, xmm8, xmm7",
                    concat!("vpxor ", $w16, ", ", $w16, ", xmm8"),
                    concat!("vmovdqu ", word!($i + 16), ", ", $w16),
                )
            ),
            rounds!(
                [$b $c $d $a $f $g $h $e] [$w15 $w12 $w9 $w6 $w3 $w16] $($rest)*
            ),
        )
    };
    ([$a:literal $b:literal $c:literal $d:literal $e:literal $f:literal $g:literal $h:literal]
     [$w16:literal $w15:literal $w12:literal $w9:literal $w6:literal $w3:literal]
     add $x:ident $i:literal $y:ident $j:literal $z:ident $k:literal, $($rest:tt)*) => {
        concat!(
            lines!(
                concat!("vpslldq ", $w15, ", ", $w15, ", 4"),
                concat!("vpalignr ", $w15, ", ", $w12, ", ", $w15, ", 12"),
                concat!("vpxor xmm6, ", $w15, ", ", $w9),
                concat!("vmovdqu ", sum!($i + 3), ", xmm6"),
            ),
            round!($x $i, [$a $b $c $d $e $f $g $h], "", ""),
            round!($y $j, [$d $a $b $c $h $e $f $g], "", ""),
            round!($z $k, [$c $d $a $b $g $h $e $f], "", ""),
            rounds!(
                [$b $c $d $a $f $g $h $e] [$w15 $w12 $w9 $w6 $w3 $w16] $($rest)*
            ),
        )
    };
    ($places:tt $vectors:tt $kind:ident $j:literal) => {
        round!($kind $j, $places, "", "")
    };
}

// Round $j (5.3.3), with two pieces of the expansion. `first` is for the rounds of parities,
// `second` for the others, for which the round before leaves in r14d and ebp two parts of what
// they choose, and `middle` for the first of them.
macro_rules! round {
    ($kind:ident $j:literal, [$a:literal $b:literal $c:literal $d:literal
      $e:literal $f:literal $g:literal $h:literal], $early:expr, $late:expr) => {
        concat!(
            before!($kind $early, $late),
            lines!(
                concat!("add ", $h, ", ", word!($j)),
                concat!("rorx r12d, ", $a, ", 20"),
                concat!("lea edi, [r12 + {", $j, "}]"),
            ),
            gg!($kind $e $f $g $h),
            amid!($kind $early),
            lines!(
                concat!("add edi, ", $e),
                "rorx edi, edi, 25",
                concat!("add ", $h, ", edi"),
                "xor r12d, edi",
                concat!("add ", $d, ", ", sum!($j)),
            ),
            ff!($kind $a $b $c $d),
            amid!($kind $late),
            p0!($kind $b $d $e $f $h),
        )
    };
}

// Where the pieces of the expansion stand: in the first rounds before, in the others amidst the
// instructions of the round. Of all places tried these were the best.
macro_rules! before {
    (first $early:expr, $late:expr) => {
        concat!($early, $late)
    };
    ($later:ident $early:expr, $late:expr) => {
        ""
    };
}
macro_rules! amid {
    (first $piece:expr) => {
        ""
    };
    ($later:ident $piece:expr) => {
        $piece
    };
}

// h += GG(e, f, g)
macro_rules! gg {
    (first $e:literal $f:literal $g:literal $h:literal) => {
        lines!(
            concat!("mov r15d, ", $f),
            concat!("xor r15d, ", $g),
            concat!("xor r15d, ", $e),
            concat!("add ", $h, ", r15d"),
        )
    };
    (middle $e:literal $f:literal $g:literal $h:literal) => {
        lines!(
            concat!("mov r15d, ", $f),
            concat!("xor r15d, ", $g),
            concat!("and r15d, ", $e),
            concat!("xor r15d, ", $g),
            concat!("add ", $h, ", r15d"),
        )
    };
    (second $e:literal $f:literal $g:literal $h:literal) => {
        lines!("xor r14d, ebp", concat!("add ", $h, ", r14d"))
    };
}

// d += FF(a, b, c); the majority is b where b and c agree, a elsewhere.
macro_rules! ff {
    (first $a:literal $b:literal $c:literal $d:literal) => {
        lines!(
            concat!("mov r13d, ", $b),
            concat!("xor r13d, ", $c),
            concat!("xor r13d, ", $a),
            concat!("add ", $d, ", r13d"),
        )
    };
    ($later:ident $a:literal $b:literal $c:literal $d:literal) => {
        lines!(
            concat!("mov r13d, ", $b),
            concat!("xor r13d, ", $c),
            concat!("andn edi, r13d, ", $b),
            concat!("add ", $d, ", edi"),
            concat!("and r13d, ", $a),
            concat!("add ", $d, ", r13d"),
        )
    };
}

// h = P0(h), rotations of b and f, the last summand of d; for rounds to come, what they choose.
macro_rules! p0 {
    (first $b:literal $d:literal $e:literal $f:literal $h:literal) => {
        lines!(
            concat!("add ", $d, ", r12d"),
            concat!("rorx ", $f, ", ", $f, ", 13"),
            concat!("rorx ebp, ", $h, ", 15"),
            concat!("rorx edi, ", $h, ", 23"),
            concat!("xor ", $h, ", edi"),
            concat!("xor ", $h, ", ebp"),
            concat!("rorx ", $b, ", ", $b, ", 23"),
        )
    };
    ($later:ident $b:literal $d:literal $e:literal $f:literal $h:literal) => {
        lines!(
            concat!("mov r15d, ", $e),
            concat!("add ", $d, ", r12d"),
            concat!("rorx ", $f, ", ", $f, ", 13"),
            concat!("xor r15d, ", $f),
            concat!("rorx ebp, ", $h, ", 15"),
            concat!("rorx edi, ", $h, ", 23"),
            concat!("xor ", $h, ", edi"),
            concat!("andn r14d, ", $h, ", r15d"),
            concat!("xor ", $h, ", ebp"),
            "and ebp, r15d",
            concat!("xor ebp, ", $e),
            concat!("rorx ", $b, ", ", $b, ", 23"),
        )
    };
}

/// Compresses the blocks from `block` up to `end`, at least one.
///
/// Of a..h, the places are eax, ebx, ecx, edx, r8d..r11d at first, and move with each round instead
/// of the values; rsi is the block.
#[unsafe(naked)]
unsafe extern "sysv64" fn compress_range(
    state: &mut [u32; 8],
    block: *const [u8; BLOCK_SIZE],
    end: *const [u8; BLOCK_SIZE],
) {
    with_constants!(
        lines!("push rbx", "push rbp", "push r12", "push r13", "push r14", "push r15"),
        lines!(
            "sub rsp, {frame}",
            concat!("mov ", state!(), ", rdi"),
            concat!("mov ", end!(), ", rdx")
        ),
        lines!("lea r12, [rip + {shuffles}]", "vmovdqa xmm9, [r12]", "vmovdqa xmm10, [r12 + 16]"),
        lines!("mov eax, [rdi]", "mov ebx, [rdi + 4]", "mov ecx, [rdi + 8]", "mov edx, [rdi + 12]"),
        lines!("mov r8d, [rdi + 16]", "mov r9d, [rdi + 20]"),
        lines!("mov r10d, [rdi + 24]", "mov r11d, [rdi + 28]"),
        "2:\n",
        load!(),
        rounds!(
            ["eax" "ebx" "ecx" "edx" "r8d" "r9d" "r10d" "r11d"]
            ["xmm0" "xmm1" "xmm2" "xmm3" "xmm4" "xmm5"]
            expand first 0 first 1 first 2, expand first 3 first 4 first 5,
            expand first 6 first 7 first 8, expand first 9 first 10 first 11,
            expand first 12 first 13 first 14, expand first 15 middle 16 second 17,
            expand second 18 second 19 second 20, expand second 21 second 22 second 23,
            expand second 24 second 25 second 26, expand second 27 second 28 second 29,
            expand second 30 second 31 second 32, expand second 33 second 34 second 35,
            expand second 36 second 37 second 38, expand second 39 second 40 second 41,
            expand second 42 second 43 second 44, expand second 45 second 46 second 47,
            expand second 48 second 49 second 50, expand second 51 second 52 second 53,
            add second 54 second 55 second 56, add second 57 second 58 second 59,
            add second 60 second 61 second 62, second 63
        ),
        lines!(concat!("mov rdi, ", state!()), "add rsi, 64"),
        feed_forward!("eax" 0, "ebx" 4, "ecx" 8, "edx" 12),
        feed_forward!("r8d" 16, "r9d" 20, "r10d" 24, "r11d" 28),
        lines!(concat!("cmp rsi, ", end!()), "jne 2b"),
        lines!(
            "add rsp, {frame}",
            "pop r15",
            "pop r14",
            "pop r13",
            "pop r12",
            "pop rbp",
            "pop rbx"
        ),
        "ret",
    )
}

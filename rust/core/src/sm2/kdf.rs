//! The key derivation of SM2 (GB/T 32918.4-2016, 5.4.3).
use crate::hash::Sm3;
pub fn derive(parts: &[&[u8]], out: &mut [u8]) {
    let mut prefix = Sm3::new();
    parts.iter().for_each(|part| prefix.update(part));
    for (counter, chunk) in (1u32..).zip(out.chunks_mut(32)) {
        let mut hash = prefix.clone();
        hash.update(&counter.to_be_bytes());
        chunk.copy_from_slice(&hash.finalize()[..chunk.len()]);
    }
}

//! The ways in which Redis packs several values into one string.

use super::rdb::Problem;

type Items = Vec<Vec<u8>>;

/// A string that was compressed.
pub fn lzf(packed: &[u8], length: u64) -> Result<Vec<u8>, Problem> {
    let damaged = || "a compressed string is damaged".to_owned();
    let mut out: Vec<u8> = Vec::new();
    let mut input = Bytes(packed);
    while !input.0.is_empty() {
        let control = usize::from(input.byte().ok_or_else(damaged)?);
        if control < 32 {
            out.extend_from_slice(input.take(control + 1).ok_or_else(damaged)?);
            continue;
        }
        let mut count = control >> 5;
        if count == 7 {
            count += usize::from(input.byte().ok_or_else(damaged)?);
        }
        let back = ((control & 31) << 8 | usize::from(input.byte().ok_or_else(damaged)?)) + 1;
        let start = out.len().checked_sub(back).ok_or_else(damaged)?;
        for place in start..start + count + 2 {
            out.push(out[place]);
        }
        if out.len() as u64 > length {
            return Err(damaged());
        }
    }
    if out.len() as u64 == length { Ok(out) } else { Err(damaged()) }
}

/// A set of numbers.
pub fn intset(packed: &[u8]) -> Result<Items, Problem> {
    let read = || {
        let mut input = Bytes(packed);
        let (width, count) = (input.number(4)?, input.number(4)?);
        let all: Option<Items> = (0..count).map(|_| Some(signed(input.take(usize::try_from(width).ok()?)?))).collect();
        all.filter(|_| input.0.is_empty() && [2, 4, 8].contains(&width))
    };
    read().ok_or_else(|| "a set of numbers is damaged".into())
}

/// A list in one piece, as servers since 7.0 write it.
pub fn listpack(packed: &[u8]) -> Result<Items, Problem> {
    let read = || {
        let mut input = Bytes(packed);
        let (total, count) = (input.number(4)?, input.number(2)?);
        let mut all = Items::new();
        while *input.0.first()? != 0xFF {
            let before = input.0.len();
            let first = input.byte()?;
            let low = u64::from(first);
            let item = match first {
                0..=0x7F => low.to_string().into_bytes(),
                0x80..=0xBF => input.take(usize::from(first & 63))?.to_vec(),
                0xC0..=0xDF => {
                    let value = (i64::from(first & 31) << 8 | i64::from(input.byte()?)) << 51 >> 51;
                    value.to_string().into_bytes()
                }
                0xE0..=0xEF => {
                    let length = usize::from(first & 15) << 8 | usize::from(input.byte()?);
                    input.take(length)?.to_vec()
                }
                0xF0 => {
                    let length = usize::try_from(input.number(4)?).ok()?;
                    input.take(length)?.to_vec()
                }
                0xF1..=0xF4 => signed(input.take([2, 3, 4, 8][usize::from(first - 0xF1)])?),
                _ => return None,
            };
            let length = before - input.0.len();
            // Behind each item stands its length, seven bits in a byte.
            input.take(1 + [128, 16_383, 2_097_151, 268_435_455].iter().filter(|limit| length >= **limit).count())?;
            all.push(item);
        }
        let is_whole = input.0.len() == 1 && total == packed.len() as u64;
        (is_whole && (count == 0xFFFF || count == all.len() as u64)).then_some(all)
    };
    read().ok_or_else(|| "a packed list is damaged".into())
}

/// A list in one piece, as older servers write it.
pub fn ziplist(packed: &[u8]) -> Result<Items, Problem> {
    let read = || {
        let mut input = Bytes(packed);
        let total = input.number(4)?;
        input.take(4)?;
        let count = input.number(2)?;
        let mut all = Items::new();
        while *input.0.first()? != 0xFF {
            if input.byte()? == 254 {
                input.take(4)?;
            }
            let first = input.byte()?;
            let text = |input: &mut Bytes<'_>, length: usize| Some(input.take(length)?.to_vec());
            all.push(match first {
                0..=0x3F => text(&mut input, usize::from(first))?,
                0x40..=0x7F => {
                    let length = usize::from(first & 63) << 8 | usize::from(input.byte()?);
                    text(&mut input, length)?
                }
                0x80 => {
                    let length = u32::from_be_bytes(input.take(4)?.try_into().ok()?);
                    text(&mut input, usize::try_from(length).ok()?)?
                }
                0xC0 => signed(input.take(2)?),
                0xD0 => signed(input.take(4)?),
                0xE0 => signed(input.take(8)?),
                0xF0 => signed(input.take(3)?),
                0xFE => signed(input.take(1)?),
                0xF1..=0xFD => u64::from(first - 0xF1).to_string().into_bytes(),
                _ => return None,
            });
        }
        let is_whole = input.0.len() == 1 && total == packed.len() as u64;
        (is_whole && (count == 0xFFFF || count == all.len() as u64)).then_some(all)
    };
    read().ok_or_else(|| "a packed list is damaged".into())
}

/// A number of some bytes, the lowest first, in decimal digits.
fn signed(bytes: &[u8]) -> Vec<u8> {
    let is_negative = bytes.last().is_some_and(|last| *last >= 128);
    let mut wide = [if is_negative { 0xFF } else { 0 }; 8];
    for (wide, byte) in wide.iter_mut().zip(bytes) {
        *wide = *byte;
    }
    i64::from_le_bytes(wide).to_string().into_bytes()
}

struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1).map(|taken| taken[0])
    }

    fn number(&mut self, bytes: usize) -> Option<u64> {
        Some(self.take(bytes)?.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_every_width_are_read() {
        let texts = |items: Items| items.into_iter().map(|item| String::from_utf8(item).unwrap()).collect::<Vec<_>>();
        let set = [2, 0, 0, 0, 2, 0, 0, 0, 0xFF, 0xFF, 5, 0];
        assert_eq!(texts(intset(&set).unwrap()), ["-1", "5"]);
        // 5, -1 in 13 bits, "ab", 300 in 16 bits.
        let mut list = vec![0, 0, 0, 0, 4, 0, 5, 1, 0xDF, 0xFF, 2, 0x82, b'a', b'b', 3, 0xF1, 0x2C, 1, 3, 0xFF];
        list[0] = u8::try_from(list.len()).unwrap();
        assert_eq!(texts(listpack(&list).unwrap()), ["5", "-1", "ab", "300"]);
        list[4] = 3;
        assert!(listpack(&list).is_err());
        assert_eq!(lzf(&[2, b'a', b'b', b'c', 0x20, 2], 6).unwrap(), b"abcabc");
        assert!(lzf(&[2, b'a', b'b', b'c', 0x20, 3], 6).is_err());
    }
}

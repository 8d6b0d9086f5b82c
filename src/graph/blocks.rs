//! The blocks in which gradients of parameters are summed: a function of a layer's positions, never of how a window is cut.

/// Rows of a block if a row has one position: `BLOCK` in `shaders/lib/clock.wgsl`. A micro-batch that ends at a multiple of
/// `BLOCK` leaves no block open, in any layer.
pub const BLOCK: usize = 32;

/// Most lines of a block.
const LONGEST: usize = 256;

/// How the lines of a layer (the positions of its rows, row after row) are cut into blocks. Each block is summed from +0 in
/// ascending order; block sums are added in ascending order.
///
/// * One position a row: blocks of 32 rows.
/// * 2 to 31 positions: blocks of whole rows, the smallest power of two that gives 32 lines or more.
/// * 32 positions or more: each row is cut into blocks of 256 lines, the last one shorter. No such block is ever open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blocks {
    /// Lines of a row.
    pub positions: usize,
    /// Rows of one block group; a divisor of [`BLOCK`].
    pub rows: usize,
    /// Lines of a block; the last block of a group may have fewer.
    pub lines: usize,
}

impl Blocks {
    /// The blocks of rows with one position.
    pub const ROWS: Blocks = Blocks { positions: 1, rows: BLOCK, lines: BLOCK };

    /// The blocks of a layer whose rows have this many positions.
    pub fn of(positions: usize) -> Blocks {
        match positions {
            0..BLOCK => {
                let positions = positions.max(1);
                let rows = BLOCK.div_ceil(positions).next_power_of_two();
                Blocks { positions, rows, lines: rows * positions }
            }
            _ => Blocks { positions, rows: 1, lines: positions.min(LONGEST) },
        }
    }

    /// Whether a micro-batch can end inside a block.
    pub fn can_be_open(self) -> bool {
        self.rows > 1
    }

    /// Most blocks that this many rows touch, wherever the rows begin.
    pub fn touched(self, rows: usize) -> usize {
        let groups = if self.rows == 1 { rows } else { rows / self.rows + 2 };
        groups * (self.rows * self.positions).div_ceil(self.lines)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_has_between_32_and_256_lines_whatever_the_positions_are() {
        assert_eq!(Blocks::of(1), Blocks { positions: 1, rows: 32, lines: 32 });
        assert_eq!(Blocks::of(2), Blocks { positions: 2, rows: 16, lines: 32 });
        assert_eq!(Blocks::of(3), Blocks { positions: 3, rows: 16, lines: 48 });
        assert_eq!(Blocks::of(31), Blocks { positions: 31, rows: 2, lines: 62 });
        assert_eq!(Blocks::of(32), Blocks { positions: 32, rows: 1, lines: 32 });
        assert_eq!(Blocks::of(300), Blocks { positions: 300, rows: 1, lines: 256 });
        for positions in 1..2000 {
            let Blocks { rows, lines, .. } = Blocks::of(positions);
            assert!(BLOCK.is_multiple_of(rows) && (BLOCK..=LONGEST).contains(&lines), "{positions}");
            assert_eq!(Blocks::of(positions).can_be_open(), positions < BLOCK, "{positions}");
        }
    }

    #[test]
    fn rows_touch_no_more_blocks_than_are_counted() {
        for positions in [1, 2, 5, 31, 32, 40, 256, 257, 600] {
            let blocks = Blocks::of(positions);
            let group = blocks.rows * positions;
            let block_of = |line: usize| line / group * group.div_ceil(blocks.lines) + line % group / blocks.lines;
            for (first, rows) in [(0, 1), (1, 1), (3, 64), (31, 2), (5, 100)] {
                let touched = block_of((first + rows) * positions - 1) - block_of(first * positions) + 1;
                assert!(touched <= blocks.touched(rows), "{positions} positions, {rows} rows from {first}");
            }
        }
    }
}

//! Tables for people: aligned cells.

/// Returns the lines of a table. The first `left` cells of a line are left-aligned, the others right-aligned.
pub fn columns(left: usize, table: &[Vec<String>]) -> Vec<String> {
    let count = table.iter().map(Vec::len).max().unwrap_or(0);
    let wide = |at: usize| table.iter().filter_map(|row| row.get(at)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..count).map(|at| wide(at).unwrap_or(0)).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).enumerate().map(|(at, (cell, &width))| {
            let gap = if at == 0 { "" } else { "  " };
            if at < left { format!("{gap}{cell:<width$}") } else { format!("{gap}{cell:>width$}") }
        });
        cells.collect::<String>().trim_end().to_owned()
    };
    table.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_stand_below_each_other_and_a_line_may_have_fewer() {
        let table = [vec!["step", "µs", "calls"], vec!["0 linear", "1.25", "7"], vec!["relu", "12"]];
        let table = table.map(|row| row.into_iter().map(str::to_owned).collect());
        assert_eq!(columns(1, &table), ["step        µs  calls", "0 linear  1.25      7", "relu        12"]);
        assert_eq!(columns(2, &table), ["step      µs    calls", "0 linear  1.25      7", "relu      12"]);
    }
}

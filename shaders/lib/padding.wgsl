// Which of the four columns from 4·column4 on are real; the others are padding, which only ever holds +0.
fn real(column4: u32, columns: u32) -> vec4<bool> {
    return vec4(4u * column4) + vec4(0u, 1u, 2u, 3u) < vec4(columns);
}

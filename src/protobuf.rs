//! Messages in the wire format of Protocol Buffers, as far as they are written here: two files of other programs are made of them.

/// A message being written: its fields one after the other, as bytes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Message(Vec<u8>);

impl Message {
    /// A message without fields.
    pub fn new() -> Message {
        Message::default()
    }

    /// With a whole number, a truth value or a name of an enum.
    pub fn int(mut self, field: u32, value: i64) -> Message {
        self.tag(field, 0);
        self.varint(value as u64);
        self
    }

    /// With a 32-bit float.
    pub fn float(mut self, field: u32, value: f32) -> Message {
        self.tag(field, 5);
        self.0.extend(value.to_le_bytes());
        self
    }

    /// With a 64-bit float.
    pub fn double(mut self, field: u32, value: f64) -> Message {
        self.tag(field, 1);
        self.0.extend(value.to_le_bytes());
        self
    }

    /// With a text, a message, bytes, or numbers that are packed already.
    pub fn bytes(mut self, field: u32, value: impl AsRef<[u8]>) -> Message {
        let value = value.as_ref();
        self.tag(field, 2);
        self.varint(value.len() as u64);
        self.0.extend(value);
        self
    }

    /// With a field that is repeated, by what adds one value.
    pub fn each<T>(self, values: impl IntoIterator<Item = T>, add: impl FnMut(Message, T) -> Message) -> Message {
        values.into_iter().fold(self, add)
    }

    /// Its bytes.
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    fn tag(&mut self, field: u32, wire: u32) {
        self.varint(u64::from(field << 3 | wire));
    }

    /// Seven bits a byte, the lowest first; the eighth says that more follow.
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }
}

impl AsRef<[u8]> for Message {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(test)]
pub(crate) mod reader {
    //! Reads messages back, for tests.

    /// A field's value.
    #[derive(Clone, Debug, PartialEq)]
    pub enum Value {
        Int(i64),
        Float(f32),
        Bytes(Vec<u8>),
    }

    /// The fields of a message, in their order.
    pub fn fields(mut bytes: &[u8]) -> Vec<(u32, Value)> {
        let mut fields = Vec::new();
        while !bytes.is_empty() {
            let tag = varint(&mut bytes);
            let value = match tag & 7 {
                0 => Value::Int(varint(&mut bytes) as i64),
                2 => {
                    let length = varint(&mut bytes) as usize;
                    Value::Bytes(take(&mut bytes, length).to_vec())
                }
                5 => Value::Float(f32::from_le_bytes(take(&mut bytes, 4).try_into().unwrap())),
                wire => panic!("wire type {wire}"),
            };
            fields.push(((tag >> 3) as u32, value));
        }
        fields
    }

    /// The values of one field that holds bytes.
    pub fn of(bytes: &[u8], field: u32) -> Vec<Vec<u8>> {
        let value = |(at, value)| match value {
            Value::Bytes(bytes) if at == field => Some(bytes),
            _ => None,
        };
        fields(bytes).into_iter().filter_map(value).collect()
    }

    /// The values of one field that holds texts.
    pub fn texts(bytes: &[u8], field: u32) -> Vec<String> {
        of(bytes, field).into_iter().map(|bytes| String::from_utf8(bytes).unwrap()).collect()
    }

    fn take<'a>(bytes: &mut &'a [u8], count: usize) -> &'a [u8] {
        let (head, tail) = bytes.split_at(count);
        *bytes = tail;
        head
    }

    fn varint(bytes: &mut &[u8]) -> u64 {
        let mut value = 0;
        for place in 0.. {
            let byte = take(bytes, 1)[0];
            value |= u64::from(byte & 0x7f) << (7 * place);
            if byte < 0x80 {
                break;
            }
        }
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_the_format_s_description_have_their_bytes() {
        // https://protobuf.dev/programming-guides/encoding/
        assert_eq!(Message::new().int(1, 150).into_bytes(), [0x08, 0x96, 0x01]);
        assert_eq!(Message::new().bytes(2, "testing").into_bytes(), b"\x12\x07testing");
        let inner = Message::new().int(1, 150);
        assert_eq!(Message::new().bytes(3, &inner).into_bytes(), [0x1a, 0x03, 0x08, 0x96, 0x01]);
        assert_eq!(Message::new().int(1, -2).into_bytes(), b"\x08\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01");
        assert_eq!(Message::new().float(2, 1.0).into_bytes(), [0x15, 0, 0, 0x80, 0x3f]);
        assert_eq!(Message::new().double(1, 1.0).into_bytes(), [0x09, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f]);
        assert_eq!(Message::new().int(16, 0).into_bytes(), [0x80, 0x01, 0x00]);
    }

    #[test]
    fn the_reader_of_the_tests_reads_what_is_written() {
        use reader::{Value, fields, texts};
        let message =
            Message::new().int(1, -5).float(2, 0.5).each(["a", "b"], |message, text| message.bytes(300, text));
        let bytes = message.into_bytes();
        let ends = |text: &str| (300, Value::Bytes(text.as_bytes().to_vec()));
        assert_eq!(fields(&bytes), [(1, Value::Int(-5)), (2, Value::Float(0.5)), ends("a"), ends("b")]);
        assert_eq!(texts(&bytes, 300), ["a", "b"]);
    }
}

//! The AMF3 values that AMF0's switch marker (0x11) can introduce. Tables of references live as long as one such value.

use std::rc::Rc;

use super::{Cursor, Error, ErrorKind, Object, Value};

const UNDEFINED: u8 = 0;
const NULL: u8 = 1;
const FALSE: u8 = 2;
const TRUE: u8 = 3;
const INTEGER: u8 = 4;
const DOUBLE: u8 = 5;
const STRING: u8 = 6;
const XML_DOCUMENT: u8 = 7;
const DATE: u8 = 8;
const ARRAY: u8 = 9;
const OBJECT: u8 = 10;
const XML: u8 = 11;
const BYTE_ARRAY: u8 = 12;
const VECTOR_INT: u8 = 13;
const VECTOR_UINT: u8 = 14;
const VECTOR_DOUBLE: u8 = 15;
const VECTOR_OBJECT: u8 = 16;
const DICTIONARY: u8 = 17;

/// Appends a byte array (AMF3 §3.14) without the switch marker. More than 2^28 − 1 bytes do not fit the length and are cut.
pub(super) fn encode_byte_array(out: &mut Vec<u8>, bytes: &[u8]) {
    let bytes = bytes.get(..0x0fff_ffff).unwrap_or(bytes);
    out.push(BYTE_ARRAY);
    encode_u29(out, u32::try_from(bytes.len()).unwrap_or(0) << 1 | 1);
    out.extend_from_slice(bytes);
}

/// Reads one value after the switch marker.
pub(super) fn value(cursor: &mut Cursor<'_>, depth: usize) -> Result<Value, Error> {
    Reader { cursor, strings: Vec::new(), objects: Vec::new(), traits: Vec::new() }.value(depth)
}

fn encode_u29(out: &mut Vec<u8>, number: u32) {
    let [_, _, _, low] = number.to_be_bytes();
    let seven = |shift: u32| (number >> shift & 0x7f) as u8 | 0x80;
    match number {
        0..0x80 => out.push(low),
        0x80..0x4000 => out.extend_from_slice(&[seven(7), low & 0x7f]),
        0x4000..0x20_0000 => out.extend_from_slice(&[seven(14), seven(7), low & 0x7f]),
        _ => out.extend_from_slice(&[seven(22), seven(15), seven(8), low]),
    }
}

/// What a reference may point at. Values that contain others are not kept: a reference to one is `Null`, because writing it
/// out at each use could multiply it without end.
#[derive(Clone)]
enum Complex {
    Leaf(Value),
    Container,
}

struct Traits {
    class: String,
    names: Vec<String>,
    dynamic: bool,
}

struct Reader<'c, 'a> {
    cursor: &'c mut Cursor<'a>,
    strings: Vec<String>,
    objects: Vec<Complex>,
    traits: Vec<Rc<Traits>>,
}

/// Either an index into a table, or what the other bits of the number say (a length, mostly).
enum Header {
    Reference(usize),
    Inline(u32),
}

impl Reader<'_, '_> {
    fn value(&mut self, depth: usize) -> Result<Value, Error> {
        self.cursor.charge_value()?;
        let start = self.cursor.at;
        Ok(match self.cursor.u8()? {
            UNDEFINED => Value::Undefined,
            NULL => Value::Null,
            FALSE => Value::Boolean(false),
            TRUE => Value::Boolean(true),
            INTEGER => Value::Number(signed_29(self.u29()?).into()),
            DOUBLE => Value::Number(self.cursor.f64()?),
            STRING => Value::String(self.string()?),
            XML_DOCUMENT | XML => self.leaf(|reader, len| Ok(Value::XmlDocument(reader.cursor.text(size(len))?)))?,
            DATE => self.leaf(|reader, _| Ok(Value::Date { millis: reader.cursor.f64()?, zone: 0 }))?,
            ARRAY => self.array(depth)?,
            OBJECT => self.object(depth)?,
            BYTE_ARRAY => self.leaf(|reader, len| {
                let bytes = reader.cursor.take(size(len))?;
                reader.cursor.charge_text(bytes.len())?;
                Ok(Value::ByteArray(bytes.to_vec()))
            })?,
            VECTOR_INT => self
                .vector(depth, |reader, _| Ok(Value::Number(reader.cursor.array().map(i32::from_be_bytes)?.into())))?,
            VECTOR_UINT => self.vector(depth, |reader, _| Ok(Value::Number(reader.cursor.u32()?.into())))?,
            VECTOR_DOUBLE => self.vector(depth, |reader, _| Ok(Value::Number(reader.cursor.f64()?)))?,
            VECTOR_OBJECT => self.vector_object(depth)?,
            DICTIONARY => self.dictionary(depth)?,
            marker => return Err(Error { at: start, kind: ErrorKind::Marker3(marker) }),
        })
    }

    /// §1.3.1: up to three bytes of seven bits, a fourth of eight.
    fn u29(&mut self) -> Result<u32, Error> {
        let mut number = 0;
        for _ in 0..3 {
            let byte = self.cursor.u8()?;
            number = number << 7 | u32::from(byte & 0x7f);
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Ok(number << 8 | u32::from(self.cursor.u8()?))
    }

    fn header(&mut self) -> Result<Header, Error> {
        let number = self.u29()?;
        Ok(if number & 1 == 0 { Header::Reference(size(number >> 1)) } else { Header::Inline(number >> 1) })
    }

    /// §1.3.2. The empty string is never put into the table.
    fn string(&mut self) -> Result<String, Error> {
        match self.header()? {
            Header::Reference(index) => {
                let len = self.strings.get(index).map(String::len);
                self.cursor.charge_text(len.ok_or_else(|| self.cursor.fail(ErrorKind::Reference))?)?;
                Ok(self.strings.get(index).cloned().unwrap_or_default())
            }
            Header::Inline(len) => {
                let text = self.cursor.text(size(len))?;
                if !text.is_empty() {
                    self.cursor.charge_text(text.len())?;
                    self.strings.push(text.clone());
                }
                Ok(text)
            }
        }
    }

    fn referenced(&mut self, index: usize) -> Result<Value, Error> {
        let complex = self.objects.get(index).ok_or_else(|| self.cursor.fail(ErrorKind::Reference))?;
        match complex {
            Complex::Leaf(leaf) => {
                let leaf = leaf.clone();
                if let Value::XmlDocument(text) = &leaf {
                    self.cursor.charge_text(text.len())?;
                } else if let Value::ByteArray(bytes) = &leaf {
                    self.cursor.charge_text(bytes.len())?;
                }
                Ok(leaf)
            }
            Complex::Container => Ok(Value::Null),
        }
    }

    fn leaf(&mut self, read: impl FnOnce(&mut Self, u32) -> Result<Value, Error>) -> Result<Value, Error> {
        match self.header()? {
            Header::Reference(index) => self.referenced(index),
            Header::Inline(len) => {
                let leaf = read(self, len)?;
                if let Value::XmlDocument(text) = &leaf {
                    self.cursor.charge_text(text.len())?;
                } else if let Value::ByteArray(bytes) = &leaf {
                    self.cursor.charge_text(bytes.len())?;
                }
                self.objects.push(Complex::Leaf(leaf.clone()));
                Ok(leaf)
            }
        }
    }

    /// §3.11: named values up to an empty name, then as many unnamed ones as the header says.
    fn array(&mut self, depth: usize) -> Result<Value, Error> {
        let len = match self.header()? {
            Header::Reference(index) => return self.referenced(index),
            Header::Inline(len) => len,
        };
        let depth = self.cursor.enter(depth)?;
        self.objects.push(Complex::Container);
        let mut named = self.named(depth)?;
        if named.is_empty() {
            let mut items = Vec::new();
            for _ in 0..len {
                items.push(self.value(depth)?);
            }
            return Ok(Value::StrictArray(items));
        }
        for index in 0..len {
            named.push((index.to_string(), self.value(depth)?));
        }
        Ok(Value::EcmaArray(Object(named)))
    }

    fn named(&mut self, depth: usize) -> Result<Vec<(String, Value)>, Error> {
        let mut named = Vec::new();
        loop {
            let name = self.string()?;
            if name.is_empty() {
                return Ok(named);
            }
            named.push((name, self.value(depth)?));
        }
    }

    /// §3.12.
    fn object(&mut self, depth: usize) -> Result<Value, Error> {
        let bits = match self.header()? {
            Header::Reference(index) => return self.referenced(index),
            Header::Inline(bits) => bits,
        };
        let depth = self.cursor.enter(depth)?;
        let traits = self.traits(bits)?;
        self.objects.push(Complex::Container);
        let mut fields = Vec::new();
        for name in &traits.names {
            self.cursor.charge_text(name.len())?;
            fields.push((name.clone(), self.value(depth)?));
        }
        if traits.dynamic {
            fields.append(&mut self.named(depth)?);
        }
        let fields = Object(fields);
        if traits.class.is_empty() {
            return Ok(Value::Object(fields));
        }
        self.cursor.charge_text(traits.class.len())?;
        Ok(Value::TypedObject { class: traits.class.clone(), fields })
    }

    fn traits(&mut self, bits: u32) -> Result<Rc<Traits>, Error> {
        if bits & 1 == 0 {
            let traits = self.traits.get(size(bits >> 1)).map(Rc::clone);
            return traits.ok_or_else(|| self.cursor.fail(ErrorKind::Reference));
        }
        if bits & 2 != 0 {
            return Err(self.cursor.fail(ErrorKind::Externalizable));
        }
        let class = self.string()?;
        let mut names = Vec::new();
        for _ in 0..bits >> 3 {
            self.cursor.charge_value()?;
            names.push(self.string()?);
        }
        let traits = Rc::new(Traits { class, names, dynamic: bits & 4 != 0 });
        self.traits.push(Rc::clone(&traits));
        Ok(traits)
    }

    /// §3.15: count, a byte that says whether the length is fixed, the items.
    fn vector(
        &mut self,
        depth: usize,
        item: impl Fn(&mut Self, usize) -> Result<Value, Error>,
    ) -> Result<Value, Error> {
        let len = match self.header()? {
            Header::Reference(index) => return self.referenced(index),
            Header::Inline(len) => len,
        };
        let depth = self.cursor.enter(depth)?;
        self.objects.push(Complex::Container);
        self.cursor.u8()?;
        self.items(len, depth, item)
    }

    /// §3.15: as the others, with the name of the items' class in between.
    fn vector_object(&mut self, depth: usize) -> Result<Value, Error> {
        let len = match self.header()? {
            Header::Reference(index) => return self.referenced(index),
            Header::Inline(len) => len,
        };
        let depth = self.cursor.enter(depth)?;
        self.objects.push(Complex::Container);
        self.cursor.u8()?;
        self.string()?;
        self.items(len, depth, Self::value)
    }

    fn items(
        &mut self,
        len: u32,
        depth: usize,
        item: impl Fn(&mut Self, usize) -> Result<Value, Error>,
    ) -> Result<Value, Error> {
        let mut items = Vec::new();
        for _ in 0..len {
            self.cursor.charge_value()?;
            items.push(item(self, depth)?);
        }
        Ok(Value::StrictArray(items))
    }

    /// §3.16: becomes a list of key, value, key, value, since its keys may be anything.
    fn dictionary(&mut self, depth: usize) -> Result<Value, Error> {
        let len = match self.header()? {
            Header::Reference(index) => return self.referenced(index),
            Header::Inline(len) => len,
        };
        let depth = self.cursor.enter(depth)?;
        self.objects.push(Complex::Container);
        self.cursor.u8()?;
        let mut items = Vec::new();
        for _ in 0..len {
            items.push(self.value(depth)?);
            items.push(self.value(depth)?);
        }
        Ok(Value::StrictArray(items))
    }
}

/// §3.6: 29 bits, two's complement.
fn signed_29(number: u32) -> i32 {
    (number << 3).cast_signed() >> 3
}

fn size(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

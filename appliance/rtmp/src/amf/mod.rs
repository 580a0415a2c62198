//! Action Message Format: AMF0 in full, and the AMF3 values that an AMF0 stream may switch to.
//!
//! Sections refer to *Action Message Format – AMF 0* (2006) and *– AMF 3* (2013) by Adobe.
//!
//! Decoding is bounded by [`Limits`] and by the bytes that are there: a count in the data never makes it allocate, nesting is
//! limited, and a reference (AMF3 §2.2) is charged as if what it points at were written out.

mod amf0;
mod amf3;

pub use amf0::{decode, decode_one, encode};

/// A decoded value. AMF3 values become the AMF0 value that means the same.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// AMF0 §2.2; also AMF3 integer and double.
    Number(f64),
    /// AMF0 §2.3.
    Boolean(bool),
    /// AMF0 §2.4 and §2.14 (long string): the encoder chooses by length.
    String(String),
    /// AMF0 §2.5, anonymous object.
    Object(Object),
    /// AMF0 §2.7.
    Null,
    /// AMF0 §2.8.
    Undefined,
    /// AMF0 §2.9: index of an earlier complex value. Not resolved, so that nothing can be multiplied by it.
    Reference(u16),
    /// AMF0 §2.10, associative array.
    EcmaArray(Object),
    /// AMF0 §2.12.
    StrictArray(Vec<Value>),
    /// AMF0 §2.13: milliseconds since 1970-01-01 UTC, and the reserved time zone field.
    Date {
        /// Milliseconds since the epoch, UTC.
        millis: f64,
        /// Reserved; writers should put 0.
        zone: i16,
    },
    /// AMF0 §2.15.
    Unsupported,
    /// AMF0 §2.17.
    XmlDocument(String),
    /// AMF0 §2.18.
    TypedObject {
        /// Class name.
        class: String,
        /// Its fields.
        fields: Object,
    },
    /// AMF3 §3.14, only reachable through the AMF3 switch. AMF0 cannot express it.
    ByteArray(Vec<u8>),
}

impl Value {
    /// The text, if this is a string.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// The number, if this is one.
    #[must_use]
    pub fn as_number(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            _ => None,
        }
    }

    /// The named fields, if this is an object of any kind or an associative array.
    #[must_use]
    pub fn as_object(&self) -> Option<&Object> {
        match self {
            Self::Object(fields) | Self::EcmaArray(fields) | Self::TypedObject { fields, .. } => Some(fields),
            _ => None,
        }
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Self::Number(number)
    }
}

impl From<bool> for Value {
    fn from(truth: bool) -> Self {
        Self::Boolean(truth)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::String(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::String(text)
    }
}

impl From<Object> for Value {
    fn from(fields: Object) -> Self {
        Self::Object(fields)
    }
}

/// Named values in the order they were written.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Object(pub Vec<(String, Value)>);

impl Object {
    /// An object without fields.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The same with one field more.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0.push((name.to_owned(), value.into()));
        self
    }

    /// The first field of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|(field, _)| field == name).map(|(_, value)| value)
    }

    /// The first field of that name, if it is a string.
    #[must_use]
    pub fn get_str(&self, name: &str) -> Option<&str> {
        self.get(name).and_then(Value::as_str)
    }

    /// The first field of that name, if it is a number.
    #[must_use]
    pub fn get_number(&self, name: &str) -> Option<f64> {
        self.get(name).and_then(Value::as_number)
    }
}

/// How much a decoder may build.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How deep objects and arrays may nest. Decoding recurses: keep it small (32 by default).
    pub depth: usize,
    /// Values altogether, those inside objects and arrays counted.
    pub values: usize,
    /// Bytes of all strings, names and byte arrays together.
    pub bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { depth: 32, values: 8192, bytes: 1 << 20 }
    }
}

/// Why bytes could not be decoded, and at which byte.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("AMF byte {at}: {kind}")]
pub struct Error {
    /// Offset into the bytes given, where the value or field that failed begins.
    pub at: usize,
    /// What was wrong there.
    pub kind: ErrorKind,
}

/// What was wrong with AMF bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The value goes on after the end.
    #[error("ends within a value")]
    End,
    /// A type marker that AMF0 does not have, or one that is reserved (movie clip, record set).
    #[error("marker {0:#04x} is not an AMF0 value")]
    Marker(u8),
    /// A type marker that AMF3 does not have.
    #[error("marker {0:#04x} is not an AMF3 value")]
    Marker3(u8),
    /// An AMF3 reference to something that was not there before.
    #[error("reference to nothing")]
    Reference,
    /// AMF3 externalizable objects have a form that only their class knows.
    #[error("object of a private format")]
    Externalizable,
    /// [`Limits::depth`] passed.
    #[error("nested deeper than {0}")]
    Depth(usize),
    /// [`Limits::values`] passed.
    #[error("more than {0} values")]
    Values(usize),
    /// [`Limits::bytes`] passed.
    #[error("more than {0} bytes of text")]
    Bytes(usize),
}

/// A position in the bytes, and what may still be built.
pub(crate) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
    limits: Limits,
    values: usize,
    text: usize,
}

impl<'a> Cursor<'a> {
    fn new(bytes: &'a [u8], limits: Limits) -> Self {
        Self { bytes, at: 0, limits, values: 0, text: 0 }
    }

    fn fail(&self, kind: ErrorKind) -> Error {
        Error { at: self.at, kind }
    }

    fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    fn take(&mut self, n: usize) -> Result<&'a [u8], Error> {
        let taken = self.rest().get(..n).ok_or_else(|| self.fail(ErrorKind::End))?;
        self.at += n;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let taken = *self.rest().first_chunk::<N>().ok_or_else(|| self.fail(ErrorKind::End))?;
        self.at += N;
        Ok(taken)
    }

    fn u8(&mut self) -> Result<u8, Error> {
        self.array::<1>().map(|[byte]| byte)
    }

    fn u16(&mut self) -> Result<u16, Error> {
        self.array().map(u16::from_be_bytes)
    }

    fn u32(&mut self) -> Result<u32, Error> {
        self.array().map(u32::from_be_bytes)
    }

    fn f64(&mut self) -> Result<f64, Error> {
        self.array().map(f64::from_be_bytes)
    }

    fn charge_value(&mut self) -> Result<(), Error> {
        self.values += 1;
        if self.values > self.limits.values { Err(self.fail(ErrorKind::Values(self.limits.values))) } else { Ok(()) }
    }

    fn charge_text(&mut self, bytes: usize) -> Result<(), Error> {
        self.text = self.text.saturating_add(bytes);
        if self.text > self.limits.bytes { Err(self.fail(ErrorKind::Bytes(self.limits.bytes))) } else { Ok(()) }
    }

    fn enter(&self, depth: usize) -> Result<usize, Error> {
        if depth >= self.limits.depth { Err(self.fail(ErrorKind::Depth(self.limits.depth))) } else { Ok(depth + 1) }
    }

    /// Text of `n` bytes. Encoders on devices write Latin-1 now and then: what is not UTF-8 is replaced, not refused.
    fn text(&mut self, n: usize) -> Result<String, Error> {
        let bytes = self.take(n)?;
        self.charge_text(n)?;
        Ok(String::from_utf8_lossy(bytes).into_owned())
    }
}

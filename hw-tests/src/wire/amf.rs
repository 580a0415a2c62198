//! AMF0, as far as commands need it.

use anyhow::{Context as _, Result, bail};

use super::Cursor;

/// A value of AMF0, as far as commands need them.
#[derive(Clone, Debug, PartialEq)]
pub enum Amf {
    /// Number.
    Number(f64),
    /// Boolean.
    Bool(bool),
    /// String.
    Text(String),
    /// Object or ECMA array.
    Object(Vec<(String, Amf)>),
    /// Null or undefined.
    Null,
}

impl Amf {
    /// A string value.
    #[must_use]
    pub fn text(text: &str) -> Self {
        Self::Text(text.to_owned())
    }

    /// An object value.
    #[must_use]
    pub fn object(fields: &[(&str, Self)]) -> Self {
        Self::Object(fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect())
    }

    /// The string, if it is one.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    /// A field of an object.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&Self> {
        let Self::Object(fields) = self else { return None };
        fields.iter().find(|(field, _)| field == name).map(|(_, value)| value)
    }

    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Number(n) => {
                out.push(0);
                out.extend_from_slice(&n.to_be_bytes());
            }
            Self::Bool(b) => out.extend_from_slice(&[1, u8::from(*b)]),
            Self::Text(text) => {
                out.push(2);
                write_name(text, out);
            }
            Self::Object(fields) => {
                out.push(3);
                for (name, value) in fields {
                    write_name(name, out);
                    value.write(out);
                }
                out.extend_from_slice(&[0, 0, 9]);
            }
            Self::Null => out.push(5),
        }
    }
}

fn write_name(text: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(&u16::try_from(text.len()).expect("names are short").to_be_bytes());
    out.extend_from_slice(text.as_bytes());
}

/// Values one after the other.
#[must_use]
pub fn encode(values: &[Amf]) -> Vec<u8> {
    let mut out = Vec::new();
    values.iter().for_each(|value| value.write(&mut out));
    out
}

/// Reads values one after the other.
///
/// # Errors
/// Something that commands do not hold.
pub fn decode(bytes: &[u8]) -> Result<Vec<Amf>> {
    let mut cursor = Cursor { bytes, at: 0 };
    let mut values = Vec::new();
    while cursor.at < bytes.len() {
        values.push(decode_one(&mut cursor)?);
    }
    Ok(values)
}

fn decode_one(cursor: &mut Cursor<'_>) -> Result<Amf> {
    let short = "AMF0 ends early";
    Ok(match cursor.number(1).context(short)? {
        0 => Amf::Number(f64::from_be_bytes(cursor.take(8).context(short)?.try_into()?)),
        1 => Amf::Bool(cursor.number(1).context(short)? != 0),
        2 => Amf::Text(decode_name(cursor)?),
        marker @ (3 | 8) => {
            if marker == 8 {
                cursor.take(4).context(short)?;
            }
            let mut fields = Vec::new();
            loop {
                let name = decode_name(cursor)?;
                if name.is_empty() && cursor.bytes.get(cursor.at) == Some(&9) {
                    cursor.at += 1;
                    break Amf::Object(fields);
                }
                fields.push((name, decode_one(cursor)?));
            }
        }
        5 | 6 => Amf::Null,
        10 => {
            let count = cursor.number(4).context(short)?;
            let values = (0..count).map(|n| Ok((n.to_string(), decode_one(cursor)?))).collect::<Result<_>>()?;
            Amf::Object(values)
        }
        marker => bail!("AMF0 marker {marker}"),
    })
}

fn decode_name(cursor: &mut Cursor<'_>) -> Result<String> {
    let length = cursor.number(2).context("AMF0 ends early")? as usize;
    Ok(String::from_utf8_lossy(cursor.take(length).context("AMF0 ends early")?).into_owned())
}

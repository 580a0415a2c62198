//! AMF0 reading and writing.

use super::{Cursor, Error, ErrorKind, Limits, Object, Value, amf3};

const NUMBER: u8 = 0;
const BOOLEAN: u8 = 1;
const STRING: u8 = 2;
const OBJECT: u8 = 3;
const NULL: u8 = 5;
const UNDEFINED: u8 = 6;
const REFERENCE: u8 = 7;
const ECMA_ARRAY: u8 = 8;
const OBJECT_END: u8 = 9;
const STRICT_ARRAY: u8 = 10;
const DATE: u8 = 11;
const LONG_STRING: u8 = 12;
const UNSUPPORTED: u8 = 13;
const XML_DOCUMENT: u8 = 15;
const TYPED_OBJECT: u8 = 16;
const AMF3: u8 = 17;

/// Decodes all values of a message body.
///
/// # Errors
/// The bytes end within a value, have a marker that AMF0 does not define, or pass `limits`.
pub fn decode(bytes: &[u8], limits: Limits) -> Result<Vec<Value>, Error> {
    let mut cursor = Cursor::new(bytes, limits);
    let mut values = Vec::new();
    while !cursor.rest().is_empty() {
        values.push(value(&mut cursor, 0)?);
    }
    Ok(values)
}

/// Decodes the first value; tells how many bytes it took.
///
/// # Errors
/// As [`decode`].
pub fn decode_one(bytes: &[u8], limits: Limits) -> Result<(Value, usize), Error> {
    let mut cursor = Cursor::new(bytes, limits);
    let value = value(&mut cursor, 0)?;
    Ok((value, cursor.at))
}

/// Appends a value.
///
/// Names longer than 65,535 bytes are cut there, which is what their length field can hold. A byte array, which AMF0 lacks,
/// is written as an AMF3 value behind the switch marker.
pub fn encode(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Number(number) => {
            out.push(NUMBER);
            out.extend_from_slice(&number.to_be_bytes());
        }
        Value::Boolean(truth) => out.extend_from_slice(&[BOOLEAN, u8::from(*truth)]),
        Value::String(text) => match u16::try_from(text.len()) {
            Ok(len) => {
                out.push(STRING);
                out.extend_from_slice(&len.to_be_bytes());
                out.extend_from_slice(text.as_bytes());
            }
            Err(_) => encode_long(out, LONG_STRING, text),
        },
        Value::Object(fields) => {
            out.push(OBJECT);
            encode_fields(out, fields);
        }
        Value::Null => out.push(NULL),
        Value::Undefined => out.push(UNDEFINED),
        Value::Reference(index) => {
            out.push(REFERENCE);
            out.extend_from_slice(&index.to_be_bytes());
        }
        Value::EcmaArray(fields) => {
            out.push(ECMA_ARRAY);
            out.extend_from_slice(&u32::try_from(fields.0.len()).unwrap_or(u32::MAX).to_be_bytes());
            encode_fields(out, fields);
        }
        Value::StrictArray(items) => {
            out.push(STRICT_ARRAY);
            out.extend_from_slice(&u32::try_from(items.len()).unwrap_or(u32::MAX).to_be_bytes());
            items.iter().for_each(|item| encode(out, item));
        }
        Value::Date { millis, zone } => {
            out.push(DATE);
            out.extend_from_slice(&millis.to_be_bytes());
            out.extend_from_slice(&zone.to_be_bytes());
        }
        Value::Unsupported => out.push(UNSUPPORTED),
        Value::XmlDocument(text) => encode_long(out, XML_DOCUMENT, text),
        Value::TypedObject { class, fields } => {
            out.push(TYPED_OBJECT);
            encode_name(out, class);
            encode_fields(out, fields);
        }
        Value::ByteArray(bytes) => {
            out.push(AMF3);
            amf3::encode_byte_array(out, bytes);
        }
    }
}

fn encode_long(out: &mut Vec<u8>, marker: u8, text: &str) {
    // A text of 4 GiB cannot be in a message (24-bit length) and is cut rather than written with a wrong length.
    let text = text.as_bytes();
    let text = text.get(..u32::MAX as usize).unwrap_or(text);
    out.push(marker);
    out.extend_from_slice(&u32::try_from(text.len()).unwrap_or(u32::MAX).to_be_bytes());
    out.extend_from_slice(text);
}

fn encode_fields(out: &mut Vec<u8>, fields: &Object) {
    for (name, value) in &fields.0 {
        encode_name(out, name);
        encode(out, value);
    }
    out.extend_from_slice(&[0, 0, OBJECT_END]);
}

fn encode_name(out: &mut Vec<u8>, name: &str) {
    let name = name.as_bytes();
    let name = name.get(..usize::from(u16::MAX)).unwrap_or(name);
    out.extend_from_slice(&u16::try_from(name.len()).unwrap_or(u16::MAX).to_be_bytes());
    out.extend_from_slice(name);
}

fn value(cursor: &mut Cursor<'_>, depth: usize) -> Result<Value, Error> {
    cursor.charge_value()?;
    let start = cursor.at;
    Ok(match cursor.u8()? {
        NUMBER => Value::Number(cursor.f64()?),
        BOOLEAN => Value::Boolean(cursor.u8()? != 0),
        STRING => {
            let len = cursor.u16()?;
            Value::String(cursor.text(len.into())?)
        }
        OBJECT => Value::Object(fields(cursor, depth)?),
        NULL => Value::Null,
        UNDEFINED => Value::Undefined,
        REFERENCE => Value::Reference(cursor.u16()?),
        ECMA_ARRAY => {
            // The count is a hint (§2.10) and writers put anything there; the end marker decides.
            cursor.u32()?;
            Value::EcmaArray(fields(cursor, depth)?)
        }
        STRICT_ARRAY => {
            let depth = cursor.enter(depth)?;
            let mut items = Vec::new();
            for _ in 0..cursor.u32()? {
                items.push(value(cursor, depth)?);
            }
            Value::StrictArray(items)
        }
        DATE => Value::Date { millis: cursor.f64()?, zone: cursor.array().map(i16::from_be_bytes)? },
        LONG_STRING => Value::String(long_text(cursor)?),
        UNSUPPORTED => Value::Unsupported,
        XML_DOCUMENT => Value::XmlDocument(long_text(cursor)?),
        TYPED_OBJECT => {
            let len = cursor.u16()?;
            Value::TypedObject { class: cursor.text(len.into())?, fields: fields(cursor, depth)? }
        }
        AMF3 => amf3::value(cursor, depth)?,
        marker => return Err(Error { at: start, kind: ErrorKind::Marker(marker) }),
    })
}

fn long_text(cursor: &mut Cursor<'_>) -> Result<String, Error> {
    let len = cursor.u32()?;
    cursor.text(usize::try_from(len).unwrap_or(usize::MAX))
}

fn fields(cursor: &mut Cursor<'_>, depth: usize) -> Result<Object, Error> {
    let depth = cursor.enter(depth)?;
    let mut fields = Vec::new();
    loop {
        let len = cursor.u16()?;
        if len == 0 && cursor.rest().first() == Some(&OBJECT_END) {
            cursor.u8()?;
            return Ok(Object(fields));
        }
        let name = cursor.text(len.into())?;
        fields.push((name, value(cursor, depth)?));
    }
}

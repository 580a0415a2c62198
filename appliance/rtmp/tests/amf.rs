//! AMF values: there and back, every marker, and bytes that want to take the machine down.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test panics where it fails"
)]

use brookbox_rtmp::amf::{self, ErrorKind, Limits, Object, Value, decode, decode_one, encode};
use proptest::prelude::*;

fn any_value() -> impl Strategy<Value = Value> {
    let text = || prop_oneof!["\\PC{0,20}", Just(String::new()), Just("x".repeat(65_535)), Just("y".repeat(65_536))];
    let leaf = prop_oneof![
        // Compared by bits below, so no NaN here; `numbers_keep_their_bits` has those.
        prop::num::f64::ANY.prop_filter("NaN", |n| !n.is_nan()).prop_map(Value::Number),
        any::<bool>().prop_map(Value::Boolean),
        text().prop_map(Value::String),
        Just(Value::Null),
        Just(Value::Undefined),
        any::<u16>().prop_map(Value::Reference),
        (prop::num::f64::NORMAL, any::<i16>()).prop_map(|(millis, zone)| Value::Date { millis, zone }),
        Just(Value::Unsupported),
        text().prop_map(Value::XmlDocument),
        prop::collection::vec(any::<u8>(), 0..300).prop_map(Value::ByteArray),
    ];
    leaf.prop_recursive(6, 64, 8, move |inner| {
        let fields = prop::collection::vec(("\\PC{1,10}", inner.clone()), 0..8).prop_map(Object);
        prop_oneof![
            fields.clone().prop_map(Value::Object),
            fields.clone().prop_map(Value::EcmaArray),
            prop::collection::vec(inner, 0..8).prop_map(Value::StrictArray),
            ("\\PC{0,10}", fields).prop_map(|(class, fields)| Value::TypedObject { class, fields }),
        ]
    })
}

const GENEROUS: Limits = Limits { depth: 32, values: 100_000, bytes: 100 << 20 };

proptest! {
    #[test]
    fn there_and_back(values in prop::collection::vec(any_value(), 0..5)) {
        let mut bytes = Vec::new();
        values.iter().for_each(|value| encode(&mut bytes, value));
        prop_assert_eq!(decode(&bytes, GENEROUS).unwrap(), values);
    }

    /// What is cut off is an error that says so, never a value.
    #[test]
    fn cut_anywhere(value in any_value(), cut in any::<prop::sample::Index>()) {
        let mut bytes = Vec::new();
        encode(&mut bytes, &value);
        let cut = cut.index(bytes.len());
        let error = decode_one(&bytes[..cut], GENEROUS).unwrap_err();
        prop_assert_eq!(error.kind, ErrorKind::End);
        prop_assert!(error.at <= cut);
    }

    #[test]
    fn any_bytes(bytes in prop::collection::vec(prop_oneof![0u8..18, any::<u8>()], 0..400)) {
        let limits = Limits { depth: 8, values: 64, bytes: 256 };
        if let Ok(values) = decode(&bytes, limits) {
            let mut again = Vec::new();
            values.iter().for_each(|value| encode(&mut again, value));
            prop_assert!(decode(&again, GENEROUS).is_ok());
        }
    }
}

#[test]
fn numbers_keep_their_bits() {
    for bits in [0, 1 << 63, 0x7ff8_0000_0000_0001, 0xfff0_0000_0000_0000, f64::MAX.to_bits()] {
        let mut bytes = Vec::new();
        encode(&mut bytes, &Value::Number(f64::from_bits(bits)));
        assert_eq!(bytes, [&[0][..], &bits.to_be_bytes()].concat());
        let Value::Number(back) = decode(&bytes, GENEROUS).unwrap().remove(0) else { panic!() };
        assert_eq!(back.to_bits(), bits);
    }
}

/// Bytes as in the specification, marker by marker.
#[test]
fn every_marker() {
    let cases: [(&[u8], Value); 14] = [
        (b"\x00\x40\x08\x00\x00\x00\x00\x00\x00", Value::Number(3.0)),
        (b"\x01\x02", Value::Boolean(true)),
        (b"\x02\x00\x02hi", "hi".into()),
        (b"\x03\x00\x01a\x05\x00\x00\x09", Object::new().with("a", Value::Null).into()),
        (b"\x05", Value::Null),
        (b"\x06", Value::Undefined),
        (b"\x07\x01\x02", Value::Reference(0x0102)),
        (b"\x08\xff\xff\xff\xff\x00\x00\x05\x00\x00\x09", Value::EcmaArray(Object::new().with("", Value::Null))),
        (b"\x0a\x00\x00\x00\x02\x05\x06", Value::StrictArray(vec![Value::Null, Value::Undefined])),
        (b"\x0b\x40\x08\x00\x00\x00\x00\x00\x00\xff\xff", Value::Date { millis: 3.0, zone: -1 }),
        (b"\x0c\x00\x00\x00\x02hi", "hi".into()),
        (b"\x0d", Value::Unsupported),
        (b"\x0f\x00\x00\x00\x04<a/>", Value::XmlDocument("<a/>".into())),
        (b"\x10\x00\x01C\x00\x00\x09", Value::TypedObject { class: "C".into(), fields: Object::new() }),
    ];
    for (bytes, value) in cases {
        assert_eq!(decode_one(bytes, GENEROUS), Ok((value, bytes.len())), "{bytes:02x?}");
    }
    for marker in [4, 9, 14, 18, 255] {
        assert_eq!(decode(&[5, marker], GENEROUS), Err(amf::Error { at: 1, kind: ErrorKind::Marker(marker) }));
    }
}

#[test]
fn text_that_is_not_utf_8_is_replaced() {
    assert_eq!(decode(b"\x02\x00\x04K\xf6ln", GENEROUS).unwrap(), ["K\u{fffd}ln".into()]);
}

/// Bytes as in the AMF3 specification, behind the switch marker.
#[test]
fn amf3_values() {
    let object = |fields| Value::Object(Object(fields));
    let cases: [(&[u8], Value); 21] = [
        (b"\x00", Value::Undefined),
        (b"\x01", Value::Null),
        (b"\x02", false.into()),
        (b"\x03", true.into()),
        (b"\x04\x7f", 127.0.into()),
        (b"\x04\x81\x00", 128.0.into()),
        (b"\x04\xff\xff\x7f", 2_097_151.0.into()),
        (b"\x04\x80\xc0\x80\x00", 2_097_152.0.into()),
        (b"\x04\xbf\xff\xff\xff", 268_435_455.0.into()),
        (b"\x04\xc0\x80\x80\x00", (-268_435_456.0).into()),
        (b"\x04\xff\xff\xff\xff", (-1.0).into()),
        (b"\x05\x40\x08\x00\x00\x00\x00\x00\x00", 3.0.into()),
        (b"\x06\x05hi", "hi".into()),
        (b"\x08\x01\x40\x08\x00\x00\x00\x00\x00\x00", Value::Date { millis: 3.0, zone: 0 }),
        // An array: the string "hi", and twice a reference to it.
        (b"\x09\x07\x01\x06\x05hi\x06\x00\x06\x00", Value::StrictArray(vec!["hi".into(), "hi".into(), "hi".into()])),
        // Named and counted values.
        (b"\x09\x03\x03a\x01\x01\x03", Value::EcmaArray(Object::new().with("a", Value::Null).with("0", true))),
        // A dynamic object without a class.
        (b"\x0a\x0b\x01\x03a\x04\x01\x01", object(vec![("a".into(), 1.0.into())])),
        // A sealed one with a class, then another of the same traits.
        (
            b"\x09\x05\x01\x0a\x13\x03C\x03a\x04\x01\x0a\x01\x04\x02",
            Value::StrictArray(
                [1.0, 2.0]
                    .map(|a| Value::TypedObject { class: "C".into(), fields: Object::new().with("a", a) })
                    .to_vec(),
            ),
        ),
        (b"\x0c\x05\x00\xff", Value::ByteArray(vec![0, 0xff])),
        (b"\x0d\x05\x00\xff\xff\xff\xfe\x00\x00\x00\x02", Value::StrictArray(vec![(-2.0).into(), 2.0.into()])),
        (b"\x11\x03\x00\x06\x03k\x03", Value::StrictArray(vec!["k".into(), true.into()])),
    ];
    for (amf3, value) in cases {
        let bytes = [b"\x11", amf3].concat();
        assert_eq!(decode_one(&bytes, GENEROUS), Ok((value, bytes.len())), "{amf3:02x?}");
    }
    let error = |bytes: &[u8]| decode(bytes, GENEROUS).unwrap_err().kind;
    assert_eq!(error(b"\x11\x12"), ErrorKind::Marker3(0x12));
    assert_eq!(error(b"\x11\x06\x00"), ErrorKind::Reference);
    assert_eq!(error(b"\x11\x0a\x00"), ErrorKind::Reference);
    assert_eq!(error(b"\x11\x0a\x01"), ErrorKind::Reference, "traits");
    assert_eq!(error(b"\x11\x0a\x07\x01"), ErrorKind::Externalizable);
    // The switch holds for one value.
    assert_eq!(decode(b"\x11\x01\x01\x01", GENEROUS).unwrap(), [Value::Null, true.into()]);
}

#[test]
fn two_hundred_thousand_nested_objects() {
    let object = b"\x03\x00\x01a".repeat(200_000);
    let depth = |bytes: &[u8]| decode(bytes, Limits::default()).unwrap_err().kind;
    assert_eq!(depth(&object), ErrorKind::Depth(32));
    assert_eq!(depth(&b"\x08\x00\x00\x00\x01\x00\x01a".repeat(200_000)), ErrorKind::Depth(32));
    assert_eq!(depth(&b"\x0a\x00\x00\x00\x01".repeat(200_000)), ErrorKind::Depth(32));
    assert_eq!(depth(&b"\x10\x00\x01C\x00\x01a".repeat(200_000)), ErrorKind::Depth(32));
    assert_eq!(depth(&[&b"\x11"[..], &b"\x09\x03\x01".repeat(200_000)].concat()), ErrorKind::Depth(32));
    assert_eq!(depth(&[&b"\x11"[..], &b"\x0a\x0b\x01\x03a".repeat(200_000)].concat()), ErrorKind::Depth(32));
    assert_eq!(depth(&[&b"\x11"[..], &b"\x11\x03\x00".repeat(200_000)].concat()), ErrorKind::Depth(32));
    // Switching to AMF3 inside objects starts no new count.
    assert_eq!(
        depth(&[&b"\x03\x00\x01a".repeat(31), &b"\x11"[..], &b"\x09\x03\x01".repeat(5)].concat()),
        ErrorKind::Depth(32)
    );
}

#[test]
fn depth_up_to_the_limit() {
    let nest = |n: usize| [b"\x03\x00\x01a".repeat(n), vec![5], b"\x00\x00\x09".repeat(n)].concat();
    assert!(decode(&nest(32), Limits::default()).is_ok());
    assert_eq!(decode(&nest(33), Limits::default()).unwrap_err().kind, ErrorKind::Depth(32));
}

#[test]
fn counts_of_four_billion() {
    for bytes in [
        &b"\x0a\xff\xff\xff\xff\x05"[..],
        b"\x0c\xff\xff\xff\xffx",
        b"\x0f\xff\xff\xff\xffx",
        b"\x11\x06\xff\xff\xff\xff",
        b"\x11\x09\xff\xff\xff\xff\x01\x01",
        b"\x11\x0c\xff\xff\xff\xff",
        b"\x11\x0d\xff\xff\xff\xff\x00",
        b"\x11\x10\xff\xff\xff\xff\x00\x01",
        b"\x11\x11\xff\xff\xff\xff\x00\x01",
        b"\x11\x0a\xff\xff\xff\xfb\x01",
    ] {
        assert_eq!(decode(bytes, GENEROUS).unwrap_err().kind, ErrorKind::End, "{bytes:02x?}");
    }
    // The count of an associative array is a hint.
    assert_eq!(decode(b"\x08\xff\xff\xff\xff\x00\x00\x09", GENEROUS).unwrap(), [Value::EcmaArray(Object::new())]);
}

/// A reference costs two bytes and could stand for any number of them.
#[test]
fn references_cannot_multiply() {
    let text = [&b"\x11\x09\x8f\x51\x01\x06\x8f\x51"[..], &[b'x'; 1000], &b"\x06\x00".repeat(999)].concat();
    let limits = Limits { depth: 32, values: 10_000, bytes: 100_000 };
    assert_eq!(decode(&text, limits).unwrap_err().kind, ErrorKind::Bytes(100_000));
    let bytes = [&b"\x11\x09\x8f\x51\x01\x0c\x8f\x51"[..], &[b'x'; 1000], &b"\x0c\x02".repeat(999)].concat();
    assert_eq!(decode(&bytes, limits).unwrap_err().kind, ErrorKind::Bytes(100_000));
    // A reference to what contains it, or to any container, stands for nothing.
    assert_eq!(
        decode(b"\x11\x09\x05\x01\x09\x00\x09\x01\x01", limits).unwrap(),
        [Value::StrictArray(vec![Value::Null, Value::StrictArray(vec![])])]
    );
}

#[test]
fn many_values() {
    let limits = Limits { depth: 32, values: 1000, bytes: 1000 };
    assert_eq!(decode(&[5; 1001], limits).unwrap_err(), amf::Error { at: 1000, kind: ErrorKind::Values(1000) });
    assert_eq!(decode(&[5; 1000], limits).unwrap().len(), 1000);
    let long = [&b"\x02\x00\x64"[..], &[b'x'; 100]].concat();
    assert!(decode(&long.repeat(10), limits).is_ok());
    assert_eq!(decode(&long.repeat(11), limits).unwrap_err().kind, ErrorKind::Bytes(1000));
}

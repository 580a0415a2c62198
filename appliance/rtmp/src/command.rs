//! Command messages (RTMP 1.0 §7.2): a name, a transaction number, an object, and more values.

use crate::{
    ErrorKind, Message,
    amf::{self, Object, Value},
    message::kind,
};
use zeroize::Zeroize;

/// Commands hold far less; the bound keeps what a stranger can make us build small.
const LIMITS: amf::Limits = amf::Limits { depth: 32, values: 1024, bytes: 32 * 1024 };

/// A command as read. Has no `Debug`: its values hold stream names.
pub(crate) struct Command {
    pub(crate) name: String,
    pub(crate) transaction: f64,
    /// Command object; `Null` for most.
    pub(crate) object: Value,
    pub(crate) args: Vec<Value>,
    /// Message stream it came on.
    pub(crate) stream_id: u32,
    pub(crate) wrapping: Wrapping,
}

/// Which kind of message carries a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wrapping {
    /// Kind 20.
    Amf0,
    /// Kind 17: a zero byte before the same values, some of which may be AMF3. Answers to it take the same form.
    Amf3,
}

impl Command {
    /// Reads kinds 17 and 20, and wipes the message, which may hold a stream name.
    pub(crate) fn read(message: Message) -> Result<Self, ErrorKind> {
        Self::read_or(message, |_| None)
    }

    /// The same for a peer that may say what we need not understand: such a command has its name and transaction number, no
    /// values.
    pub(crate) fn read_leniently(message: Message) -> Result<Self, ErrorKind> {
        Self::read_or(message, |body| {
            let (name, len) = amf::decode_one(body, LIMITS).ok()?;
            let (transaction, _) = amf::decode_one(body.get(len..)?, LIMITS).ok()?;
            Some(vec![name, transaction])
        })
    }

    fn read_or(mut message: Message, otherwise: fn(&[u8]) -> Option<Vec<Value>>) -> Result<Self, ErrorKind> {
        let (wrapping, body) = match (message.kind, message.body.split_first()) {
            (kind::COMMAND_AMF3, Some((0, rest))) => (Wrapping::Amf3, rest),
            (kind::COMMAND_AMF3, _) => (Wrapping::Amf3, message.body.as_slice()),
            _ => (Wrapping::Amf0, message.body.as_slice()),
        };
        let values = amf::decode(body, LIMITS).or_else(|error| otherwise(body).ok_or(error));
        message.body.zeroize();
        let mut values = values?.into_iter();
        let Some(Value::String(name)) = values.next() else {
            return Err(ErrorKind::Command("does not begin with a name"));
        };
        // Left out by some where it means nothing, as behind onStatus.
        let transaction = match values.next() {
            Some(Value::Number(transaction)) => transaction,
            Some(Value::Null | Value::Undefined) | None => 0.0,
            Some(_) => return Err(ErrorKind::Command("transaction id is not a number")),
        };
        let object = values.next().unwrap_or(Value::Null);
        let args = values.collect();
        Ok(Self { name, transaction, object, args, stream_id: message.stream_id, wrapping })
    }

    /// The first object among the values behind the transaction id: where `onStatus`, `_result` and `_error` have their
    /// information. Servers differ in whether the command object or an argument holds it; `code` tells.
    pub(crate) fn info(&self) -> Option<&Object> {
        let objects = || self.args.iter().chain([&self.object]).filter_map(Value::as_object);
        objects().find(|object| object.get("code").is_some()).or_else(|| objects().next())
    }

    /// The first number behind the transaction id: what `createStream` gives back, what `deleteStream` asks for.
    pub(crate) fn number(&self) -> Option<f64> {
        [&self.object].into_iter().chain(&self.args).find_map(Value::as_number)
    }

    /// The first string behind the command object: a stream name.
    pub(crate) fn take_text(&mut self) -> Option<String> {
        self.args.iter_mut().find_map(|arg| match arg {
            Value::String(text) => Some(std::mem::take(text)),
            _ => None,
        })
    }
}

/// The body of a command.
pub(crate) fn encode(wrapping: Wrapping, name: &str, transaction: f64, values: &[Value]) -> (u8, Vec<u8>) {
    let mut body = Vec::with_capacity(256);
    let kind = match wrapping {
        Wrapping::Amf0 => kind::COMMAND,
        Wrapping::Amf3 => {
            body.push(0);
            kind::COMMAND_AMF3
        }
    };
    amf::encode(&mut body, &Value::from(name));
    amf::encode(&mut body, &Value::Number(transaction));
    values.iter().for_each(|value| amf::encode(&mut body, value));
    (kind, body)
}

/// An information object as in `onStatus` and the answers to `connect`.
pub(crate) fn info(level: &str, code: &str, description: &str) -> Object {
    Object::new().with("level", level).with("code", code).with("description", description)
}

/// A stream id out of a number that a peer sent.
pub(crate) fn stream_id(number: f64) -> Option<u32> {
    // A range refuses NaN too.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "in range; a fraction means nothing")]
    (0.0..=f64::from(u32::MAX)).contains(&number).then_some(number as u32)
}

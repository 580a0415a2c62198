//! Which channel belongs to which loudspeaker: E-RTMP v2, *Enhanced Audio*, `MultichannelConfig`.

use crate::bits::{Bits, Result};
use crate::{Error, FourCc};

/// What a [`Kind::MultichannelConfig`](crate::Kind::MultichannelConfig) packet says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MultichannelConfig<'a> {
    /// Channels, a low-frequency one included.
    pub channels: u8,
    /// Their order.
    pub order: ChannelOrder<'a>,
}

/// The order of channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChannelOrder<'a> {
    /// Not told.
    Unspecified,
    /// By the bits of this mask that are set, the lowest one first (`AudioChannelMask`).
    Native(u32),
    /// Each channel names its loudspeaker (`AudioChannel`: 254 is unused, 255 unknown).
    Custom(&'a [u8]),
    /// An order yet to come.
    Other(u8),
}

impl<'a> MultichannelConfig<'a> {
    /// Reads the data of such a packet.
    ///
    /// # Errors
    /// If it is cut off.
    ///
    /// ```
    /// use brookbox_media::{ChannelOrder, FourCc, Media, MultichannelConfig, packets};
    ///
    /// let body = b"\x94ac-3\x01\x06\x00\x00\x06\x0f"; // FFmpeg: AC-3, 5.1
    /// let (packet, data) = packets(Media::Audio, body).next().unwrap();
    /// let config = MultichannelConfig::read(packet.codec.unwrap_or(FourCc::AC3), data)?;
    /// assert_eq!((config.channels, config.order), (6, ChannelOrder::Native(0x60f)));
    /// # Ok::<(), brookbox_media::Error>(())
    /// ```
    pub fn read(codec: FourCc, data: &'a [u8]) -> std::result::Result<Self, Error> {
        let mut bits = Bits::new(codec, "MultichannelConfig", data);
        let order = bits.u8(8, "audioChannelOrder")?;
        let channels = bits.u8(8, "channelCount")?;
        Ok(Self { channels, order: order_of(&mut bits, order, channels)? })
    }
}

fn order_of<'a>(bits: &mut Bits<'a>, order: u8, channels: u8) -> Result<ChannelOrder<'a>> {
    Ok(match order {
        0 => ChannelOrder::Unspecified,
        1 => ChannelOrder::Native(bits.u(32, "audioChannelFlags")?),
        2 => ChannelOrder::Custom(bits.bytes(channels.into(), "audioChannelMapping")?),
        other => ChannelOrder::Other(other),
    })
}

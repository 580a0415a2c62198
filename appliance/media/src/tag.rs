//! Tag bodies: which track, which codec, and what role it plays.
//!
//! Runs once or more for every frame of a stream, so nothing here allocates.

use crate::FourCc;

/// Which kind of RTMP message, or FLV tag, a body came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Media {
    /// Message type 9.
    Video,
    /// Message type 8.
    Audio,
    /// Message types 15 and 18: script data.
    Data,
}

/// What a packet, or a message as a whole, means to whoever relays it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Needed by everybody who joins later; says nothing by itself. See [`Kind`] for which configuration it is.
    Config,
    /// A video frame that decoding can start at.
    Key,
    /// A video frame that needs others before it.
    Inter,
    /// Coded audio.
    Audio,
    /// The end of a sequence, or the empty audio message that means silence.
    End,
    /// A command frame of one byte (client-side seeking), no picture.
    Command,
    /// Not understood, broken or not media: to be passed on as it is.
    Unknown,
}

/// What a packet holds. Finer than [`Role`]: of one track, the newest packet of each configuration kind is in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A codec's configuration record: legacy sequence headers, `SequenceStart`.
    SequenceStart,
    /// `MPEG2TSSequenceStart`: the configuration as an MPEG-2 TS descriptor.
    Mpeg2TsSequenceStart,
    /// Script data about the video that follows, such as `colorInfo`.
    Metadata,
    /// `MultichannelConfig`: which channel belongs to which loudspeaker. See [`crate::MultichannelConfig`].
    MultichannelConfig,
    /// Coded frames.
    Frames,
    /// `SequenceEnd`, or an empty audio message.
    SequenceEnd,
    /// A command frame.
    Command,
    /// Not understood, broken or not media.
    Unknown,
}

/// One packet of a tag body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet {
    /// `videoTrackId` or `audioTrackId`; 0 for everything that is not multitrack.
    pub track: u8,
    /// The codec, if the packet names one.
    pub codec: Option<FourCc>,
    /// What it means to a relay.
    pub role: Role,
    /// What it holds.
    pub kind: Kind,
    /// Presentation minus decoding time in ms; can be negative. 0 where there is none.
    pub composition_ms: i32,
    /// Nanoseconds to add to the presentation time (`TimestampOffsetNano`): at most 999,999 by the specification, at
    /// most 16,777,215 by the format. It is told as it was sent.
    pub nano_offset: u32,
}

/// What a tag body asks of its receiver.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Features {
    /// The codec is named by a FourCC (E-RTMP v1).
    pub enhanced: bool,
    /// Multitrack (E-RTMP v2).
    pub multitrack: bool,
    /// Any ModEx (E-RTMP v2).
    pub mod_ex: bool,
    /// A ModEx with a timestamp offset in nanoseconds (E-RTMP v2).
    pub nano_offset: bool,
}

/// What a relay has to know of a message as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary {
    /// The role that all packets have in common. Where they differ (in a broken message only): the one of the lowest
    /// track if that is [`Key`](Role::Key), [`Inter`](Role::Inter) or [`Audio`](Role::Audio), else `Unknown`.
    pub role: Role,
    /// The kind, by the same rule.
    pub kind: Kind,
    /// The lowest track in the message.
    pub track: u8,
    /// The codec of the lowest track.
    pub codec: Option<FourCc>,
    /// The composition time of the lowest track, in ms.
    pub composition_ms: i32,
    /// What the message asks of its receiver.
    pub features: Features,
}

/// Takes a tag body apart.
///
/// There is exactly one packet in an ordinary tag, and one for each track in a multitrack tag; there is always at
/// least one. The bytes beside a packet are its codec data: the configuration record, the coded frames, the AMF values
/// of [`Kind::Metadata`], or of an unknown packet whatever follows the last thing understood.
///
/// Sections: FLV 10.1 E.4.2.1 and E.4.3.1 for legacy tags; E-RTMP v2 *Enhanced Audio* and *Enhanced Video* for the
/// rest, of which v1 is a part.
///
/// ```
/// use brookbox_media::{FourCc, Media, Role, packets};
///
/// // Multitrack, one track, coded frames: keyframe of HEVC track 3, shown 40 ms after it is decoded.
/// let body = b"\x96\x01hvc1\x03\x00\x00\x28\x00\x00\x00\x02\x26\x01";
/// let (packet, data) = packets(Media::Video, body).next().unwrap();
/// assert_eq!((packet.track, packet.codec, packet.role), (3, Some(FourCc::HEVC), Role::Key));
/// assert_eq!(packet.composition_ms, 40);
/// assert_eq!(data, b"\x00\x00\x00\x02\x26\x01");
/// ```
#[must_use]
pub fn packets(media: Media, body: &[u8]) -> Packets<'_> {
    let mut packets =
        Packets { media, rest: body, next: Next::Single(Head::UNKNOWN, None), features: Features::default() };
    packets.next = match media {
        Media::Video => packets.video(),
        Media::Audio => packets.audio(),
        Media::Data => None,
    }
    .unwrap_or(Next::Single(Head::UNKNOWN, None));
    packets
}

/// What a message is as a whole: see [`Summary`].
///
/// ```
/// use brookbox_media::{FourCc, Media, Role, summary};
///
/// let summary = summary(Media::Audio, b"\xaf\x01\x21\x10\x04");
/// assert_eq!((summary.role, summary.codec), (Role::Audio, Some(FourCc::AAC)));
/// ```
#[must_use]
pub fn summary(media: Media, body: &[u8]) -> Summary {
    let mut all = packets(media, body);
    let features = all.features;
    let Some((first, _)) = all.next() else {
        return Summary::of(Head::UNKNOWN.packet(None, 0, &[]).0, features);
    };
    let (mut lowest, mut alike) = (first, true);
    for (packet, _) in all {
        alike &= (packet.role, packet.kind) == (first.role, first.kind);
        let known = packet.role != Role::Unknown;
        if known && (lowest.role == Role::Unknown || packet.track < lowest.track) {
            lowest = packet;
        }
    }
    if !alike && !matches!(lowest.role, Role::Key | Role::Inter | Role::Audio) {
        (lowest.role, lowest.kind) = (Role::Unknown, Kind::Unknown);
    }
    Summary::of(lowest, features)
}

impl Summary {
    fn of(packet: Packet, features: Features) -> Self {
        let Packet { track, codec, role, kind, composition_ms, .. } = packet;
        Self { role, kind, track, codec, composition_ms, features }
    }
}

/// The packets of a tag body, see [`packets`].
#[derive(Clone, Debug)]
pub struct Packets<'a> {
    media: Media,
    rest: &'a [u8],
    next: Next,
    features: Features,
}

/// Most tracks in one message: as many as there are track ids. What follows them is one unknown packet, which bounds
/// the work for a message however large it is.
const MAX_TRACKS: u16 = 256;

#[derive(Clone, Copy, Debug)]
enum Next {
    Nothing,
    /// All of `rest` is one packet.
    Single(Head, Option<FourCc>),
    /// Tracks follow. Without a common codec each names its own.
    Tracks {
        head: Head,
        codec: Option<FourCc>,
        sized: bool,
        left: u16,
    },
}

/// What all packets of a body have in common.
#[derive(Clone, Copy, Debug)]
struct Head {
    role: Role,
    kind: Kind,
    /// Whether a codec that has composition times has one here.
    composition: bool,
    nano_offset: u32,
}

impl Head {
    const UNKNOWN: Self = Self::new(Role::Unknown, Kind::Unknown);

    const fn new(role: Role, kind: Kind) -> Self {
        Self { role, kind, composition: false, nano_offset: 0 }
    }

    fn packet(self, codec: Option<FourCc>, track: u8, mut data: &[u8]) -> (Packet, &[u8]) {
        let mut packet =
            Packet { track, codec, role: self.role, kind: self.kind, composition_ms: 0, nano_offset: self.nano_offset };
        if self.composition && codec.is_some_and(FourCc::has_composition_time) {
            match take(&mut data) {
                Some([high, middle, low]) => packet.composition_ms = i32::from_be_bytes([high, middle, low, 0]) >> 8,
                None => (packet.role, packet.kind) = (Role::Unknown, Kind::Unknown),
            }
        }
        (packet, data)
    }
}

impl Packets<'_> {
    /// What the body asks of its receiver.
    #[must_use]
    pub fn features(&self) -> Features {
        self.features
    }

    fn video(&mut self) -> Option<Next> {
        let [first] = take(&mut self.rest)?;
        let frame_type = first >> 4 & 7;
        if first & 0x80 != 0 {
            return self.enhanced(first & 15, frame_type);
        }
        let codec = FourCc::legacy_video(first & 15);
        let frames = frames_of(frame_type);
        let head = if frames.role == Role::Command || !matches!(codec, FourCc::AVC | FourCc::HEVC) {
            frames
        } else {
            let [packet_type] = take(&mut self.rest)?;
            if packet_type == 1 {
                Head { composition: true, ..frames }
            } else {
                let _composition_of_no_frame: [u8; 3] = take(&mut self.rest)?;
                match packet_type {
                    0 => Head::new(Role::Config, Kind::SequenceStart),
                    2 => Head::new(Role::End, Kind::SequenceEnd),
                    _ => Head::UNKNOWN,
                }
            }
        };
        Some(Next::Single(head, Some(codec)))
    }

    fn audio(&mut self) -> Option<Next> {
        // Enhanced Audio, AudioPacketType: an empty message means silence, "no less" than SequenceEnd does.
        let Some([first]) = take(&mut self.rest) else {
            return Some(Next::Single(Head::new(Role::End, Kind::SequenceEnd), None));
        };
        if first >> 4 == 9 {
            return self.enhanced(first & 15, 0);
        }
        let codec = FourCc::legacy_audio(first >> 4);
        let packet_type = if codec == FourCc::AAC { u8::from_be_bytes(take(&mut self.rest)?) } else { 1 };
        let head = match packet_type {
            0 => Head::new(Role::Config, Kind::SequenceStart),
            1 => Head::new(Role::Audio, Kind::Frames),
            _ => Head::UNKNOWN,
        };
        Some(Next::Single(head, Some(codec)))
    }

    /// The part that enhanced audio and enhanced video have in common.
    fn enhanced(&mut self, mut packet_type: u8, frame_type: u8) -> Option<Next> {
        const MOD_EX: u8 = 7;
        self.features.enhanced = true;
        let multitrack = if self.media == Media::Video { 6 } else { 5 };

        let mut nano_offset = 0;
        while packet_type == MOD_EX {
            self.features.mod_ex = true;
            let (mod_ex_type, data);
            (mod_ex_type, packet_type, data) = mod_ex(&mut self.rest)?;
            if let (0, Some(&[high, middle, low])) = (mod_ex_type, data.first_chunk()) {
                self.features.nano_offset = true;
                nano_offset = u32::from_be_bytes([0, high, middle, low]);
            }
        }

        let metadata = self.media == Media::Video && packet_type == 4;
        if frame_type == 5 && !metadata {
            let head = Head { nano_offset, ..Head::new(Role::Command, Kind::Command) };
            return Some(Next::Single(head, None));
        }
        if packet_type != multitrack {
            let head = Head { nano_offset, ..self.head(packet_type, frame_type) };
            return Some(Next::Single(head, Some(FourCc::new(take(&mut self.rest)?))));
        }

        self.features.multitrack = true;
        let [layout] = take(&mut self.rest)?;
        let (layout, packet_type) = (layout >> 4, layout & 15);
        if layout > 2 || packet_type == multitrack || packet_type == MOD_EX {
            return None;
        }
        let codec = if layout == 2 { None } else { Some(FourCc::new(take(&mut self.rest)?)) };
        let head = Head { nano_offset, ..self.head(packet_type, frame_type) };
        Some(Next::Tracks { head, codec, sized: layout != 0, left: MAX_TRACKS })
    }

    fn head(&self, packet_type: u8, frame_type: u8) -> Head {
        match (self.media, packet_type) {
            (Media::Video | Media::Audio, 0) => Head::new(Role::Config, Kind::SequenceStart),
            (Media::Video, 1) => Head { composition: true, ..frames_of(frame_type) },
            (Media::Audio, 1) => Head::new(Role::Audio, Kind::Frames),
            (Media::Video | Media::Audio, 2) => Head::new(Role::End, Kind::SequenceEnd),
            (Media::Video, 3) => frames_of(frame_type),
            (Media::Video, 4) => Head::new(Role::Config, Kind::Metadata),
            (Media::Audio, 4) => Head::new(Role::Config, Kind::MultichannelConfig),
            (Media::Video, 5) => Head::new(Role::Config, Kind::Mpeg2TsSequenceStart),
            _ => Head::UNKNOWN,
        }
    }
}

impl<'a> Iterator for Packets<'a> {
    type Item = (Packet, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        match std::mem::replace(&mut self.next, Next::Nothing) {
            Next::Nothing => None,
            Next::Single(head, codec) => Some(head.packet(codec, 0, std::mem::take(&mut self.rest))),
            Next::Tracks { head, codec: common, sized, left } => {
                let track = left.checked_sub(1).and_then(|left| Some((left, track(&mut self.rest, common, sized)?)));
                let Some((left, (codec, track, data))) = track else {
                    return Some(Head::UNKNOWN.packet(None, 0, std::mem::take(&mut self.rest)));
                };
                if !self.rest.is_empty() {
                    self.next = Next::Tracks { head, codec: common, sized, left };
                }
                Some(head.packet(Some(codec), track, data))
            }
        }
    }
}

fn frames_of(frame_type: u8) -> Head {
    match frame_type {
        1 | 4 => Head::new(Role::Key, Kind::Frames),
        2 | 3 => Head::new(Role::Inter, Kind::Frames),
        5 => Head::new(Role::Command, Kind::Command),
        _ => Head::UNKNOWN,
    }
}

/// Takes one ModEx: its type, the packet type that comes after it, its data.
fn mod_ex<'a>(rest: &mut &'a [u8]) -> Option<(u8, u8, &'a [u8])> {
    let mut size = usize::from(u8::from_be_bytes(take(rest)?)) + 1;
    if size == 256 {
        size = usize::from(u16::from_be_bytes(take(rest)?)) + 1;
    }
    let (data, behind) = rest.split_at_checked(size)?;
    *rest = behind;
    let [types] = take(rest)?;
    Some((types >> 4, types & 15, data))
}

/// Takes one track of a multitrack body: its codec, its id, its data. Takes nothing if it is not there whole.
fn track<'a>(rest: &mut &'a [u8], common: Option<FourCc>, sized: bool) -> Option<(FourCc, u8, &'a [u8])> {
    let mut ahead = *rest;
    let codec = match common {
        Some(codec) => codec,
        None => FourCc::new(take(&mut ahead)?),
    };
    let [track] = take(&mut ahead)?;
    let size = if sized {
        let [high, middle, low] = take(&mut ahead)?;
        usize::try_from(u32::from_be_bytes([0, high, middle, low])).ok()?
    } else {
        ahead.len()
    };
    let (data, behind) = ahead.split_at_checked(size)?;
    *rest = behind;
    Some((codec, track, data))
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (head, behind) = rest.split_first_chunk()?;
    *rest = behind;
    Some(*head)
}

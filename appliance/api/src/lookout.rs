//! Looks at what comes in: alarms for a picture that stands still and for silence, each to be muted, and plain advice where
//! a stream is not what the platforms ask for. Once a second it asks the engine for the newest second of what it keeps anyway,
//! and decodes a quarter of its sound on a thread where that disturbs nobody.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use brookbox_media::{FourCc, Kind, Media, flv_tags, packets};
use brookbox_relay::{Excerpt, InputState};
use brookbox_store::Time;
use tokio::time::{MissedTickBehavior, interval};

use crate::app::App;
use crate::attention::{Ear, Picture, Sound};
use crate::drift::Drift;
use crate::sentences::Deed;

/// A stream that is not silent is listened to once in so many seconds: decoding costs as much as some destinations do.
const LISTEN_EVERY_S: u32 = 5;
/// The setting that says what is muted.
const MUTED: &str = "mutedAlarms";

/// Alarms there are.
pub(crate) const FROZEN: &str = "frozen";
pub(crate) const SILENT: &str = "silent";
pub(crate) const CODES: [&str; 2] = [FROZEN, SILENT];

type Muted = BTreeMap<String, BTreeSet<String>>;

/// What was noticed.
#[derive(Debug, Default)]
pub(crate) struct Lookout {
    inputs: Mutex<BTreeMap<String, Noticed>>,
    muted: Mutex<Muted>,
}

/// What was noticed of one input.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Noticed {
    /// Alarms with their beginnings, muted ones too.
    pub(crate) alarms: BTreeMap<&'static str, Time>,
    /// The loudest when it was last listened to, dBFS; `None`: not measured.
    pub(crate) peak_dbfs: Option<f64>,
    /// How much faster the publisher's clock runs than the box's, parts per million.
    pub(crate) clock_drift_ppm: Option<f64>,
    /// The most frames in a row, lately, that are shown before one which came before them.
    pub(crate) b_frames: u32,
}

impl Lookout {
    /// Reads what is muted.
    pub(crate) fn new(store: &brookbox_store::Store) -> Result<Self, brookbox_store::Error> {
        let muted = store.setting(MUTED)?.unwrap_or_default();
        Ok(Self { muted: Mutex::new(muted), ..Self::default() })
    }

    /// What is noticed of an input now, without what is muted.
    pub(crate) fn of(&self, input: &str) -> Noticed {
        let mut noticed = lock(&self.inputs).get(input).cloned().unwrap_or_default();
        noticed.alarms.retain(|code, _| !self.is_muted(input, code));
        noticed
    }

    /// What is muted at an input.
    pub(crate) fn muted(&self, input: &str) -> Vec<String> {
        lock(&self.muted).get(input).into_iter().flatten().cloned().collect()
    }

    /// Mutes these alarms of an input, and no others. One at a time: whoever calls holds the order of writes. Nobody who
    /// asks what is muted waits for the disk meanwhile.
    pub(crate) fn mute(
        &self,
        store: &brookbox_store::Store,
        input: &str,
        codes: &[&str],
    ) -> Result<(), brookbox_store::Error> {
        let mut wanted = lock(&self.muted).clone();
        wanted.insert(input.to_owned(), codes.iter().map(|&code| code.to_owned()).collect());
        // Inputs that are gone take no room.
        let inputs = store.inputs()?;
        wanted.retain(|id, codes| !codes.is_empty() && inputs.iter().any(|input| input.id == *id));
        store.put_setting(MUTED, &wanted)?;
        *lock(&self.muted) = wanted;
        Ok(())
    }

    fn is_muted(&self, input: &str, code: &str) -> bool {
        lock(&self.muted).get(input).is_some_and(|codes| codes.contains(code))
    }

    fn put(&self, input: &str, noticed: Option<Noticed>) {
        match noticed {
            Some(noticed) => _ = lock(&self.inputs).insert(input.to_owned(), noticed),
            None => _ = lock(&self.inputs).remove(input),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Looks at every input that receives, once a second. Ends with the program.
pub(crate) async fn run(app: App) {
    let mut tick = interval(Duration::from_secs(1));
    tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut watched: BTreeMap<String, Attention> = BTreeMap::new();
    loop {
        tick.tick().await;
        let snapshot = app.engine.snapshot();
        let state = |id: &str| snapshot.inputs.get(id).map(|input| input.state);
        watched.retain(|id, _| {
            // A lost publisher may return, and what is usual for it holds.
            let stays = matches!(state(id), Some(InputState::Receiving | InputState::Lost));
            if !stays {
                app.lookout.put(id, None);
            }
            stays
        });
        for (id, _) in snapshot.inputs.iter().filter(|(_, input)| input.state == InputState::Receiving) {
            let mut attention = watched.remove(&**id).unwrap_or_default();
            let listens = attention.listens();
            let Ok(Some(excerpt)) = app.engine.excerpt(id.clone(), listens).await else {
                watched.insert(id.to_string(), attention);
                continue;
            };
            let sound = listens.then(|| attention.sound_of(&excerpt));
            attention.drift.second(excerpt.delay_ms);
            attention.note_b_frames(excerpt.b_frames);
            let mut attention = attention.second(excerpt.inter_bytes.checked_div(excerpt.inter_frames), sound).await;
            tell(&app, id, &mut attention).await;
            watched.insert(id.to_string(), attention);
        }
    }
}

/// A codec of sound, and its configuration.
type SoundConfig = (FourCc, Vec<u8>);

/// What is known of one input's picture and sound.
#[derive(Default)]
struct Attention {
    picture: Picture,
    sound: Sound,
    drift: Drift,
    /// The longest row of B-frames of this half minute and of the one before.
    b_frames: [u32; 2],
    /// The sound's codec and configuration, and the decoder that was made for it.
    config: Option<SoundConfig>,
    ear: Option<(SoundConfig, Option<Ear>)>,
    peak: Option<f64>,
    /// Whether there was sound at all, measured or not.
    had_sound: bool,
    seconds: u32,
    /// Alarms of which events say that they are on.
    told: BTreeSet<&'static str>,
}

/// What was listened to.
#[derive(Default)]
struct Heard {
    /// Whether the first track has sound, of whatever kind.
    came: bool,
    /// Its frames, if they may be measured.
    frames: Vec<Vec<u8>>,
}

impl Attention {
    /// Whether it is time to listen: now and then, and every second while it may be silent.
    fn listens(&mut self) -> bool {
        self.seconds = self.seconds.wrapping_add(1);
        self.sound.is_quiet() || self.seconds % LISTEN_EVERY_S == 1
    }

    /// Notes the longest row of B-frames of a second; encoders choose anew how many, from picture to picture.
    fn note_b_frames(&mut self, longest: u32) {
        let [now, before] = self.b_frames;
        self.b_frames = if self.seconds.is_multiple_of(30) { [longest, now] } else { [now.max(longest), before] };
    }

    /// Frames of the first track's sound; notes their configuration.
    fn sound_of(&mut self, excerpt: &Excerpt) -> Heard {
        let mut heard = Heard::default();
        let sound = flv_tags(&excerpt.tags).filter(|tag| tag.media == Media::Audio);
        for (packet, data) in sound.flat_map(|tag| packets(tag.media, tag.body)).filter(|(packet, _)| packet.track == 0)
        {
            match packet.kind {
                Kind::SequenceStart => self.config = packet.codec.map(|codec| (codec, data.to_vec())),
                Kind::Frames => {
                    heard.came = true;
                    match &self.config {
                        Some((codec, _)) if packet.codec == Some(*codec) => heard.frames.push(data.to_vec()),
                        // The configuration was another codec's: this one has none, and is not measured.
                        _ => self.config = None,
                    }
                }
                _ => {}
            }
        }
        heard
    }

    /// A second has passed: the mean size of its inter frames, and some of its sound if it was listened to.
    async fn second(mut self, picture: Option<u64>, sound: Option<Heard>) -> Self {
        self.picture.second(picture);
        let Some(Heard { came, frames }) = sound else { return self };
        self.had_sound |= came;
        if self.ear.as_ref().map(|(config, _)| config) != self.config.as_ref() {
            self.ear = self.config.clone().map(|config| {
                let ear = Ear::new(config.0, &config.1);
                (config, ear)
            });
        }
        self.peak = None;
        if let Some((config, Some(mut ear))) = self.ear.take() {
            // A decoder that panics on what a publisher sends ends here: this stream's sound is not measured any more.
            let heard = tokio::task::spawn_blocking(move || (ear.peak(&frames), ear)).await;
            let (peak, ear) = heard.map_or((None, None), |(peak, ear)| (peak, Some(ear)));
            (self.peak, self.ear) = (peak, Some((config, ear)));
        }
        match (came, &self.ear) {
            // It has stopped altogether. What never had any sound is not silent.
            (false, _) => self.sound.second(self.had_sound.then_some(f64::NEG_INFINITY)),
            (true, Some((_, Some(_)))) => self.sound.second(self.peak),
            // Of what cannot be measured nothing is known, whatever was before.
            (true, _) => self.sound = Sound::default(),
        }
        self
    }
}

/// Shows what is noticed, and tells what began or ended.
async fn tell(app: &App, input: &str, attention: &mut Attention) {
    let before = lock(&app.lookout.inputs).get(input).cloned().unwrap_or_default();
    let mut noticed = Noticed {
        peak_dbfs: attention.peak,
        clock_drift_ppm: attention.drift.ppm(),
        b_frames: attention.b_frames.into_iter().max().unwrap_or_default(),
        ..before
    };
    for (code, is_on) in [(FROZEN, attention.picture.frozen), (SILENT, attention.sound.silent)] {
        let was_on = noticed.alarms.contains_key(code);
        match is_on {
            true => _ = noticed.alarms.entry(code).or_insert_with(Time::now),
            false => _ = noticed.alarms.remove(code),
        }
        let news = match is_on {
            true => !was_on && !app.lookout.is_muted(input, code) && attention.told.insert(code),
            // Who was told of the beginning is told of the end, whatever was muted meanwhile.
            false => attention.told.remove(code),
        };
        if news {
            app.note(Deed::Noticed { input, alarm: code, is_on }.event(None)).await;
        }
    }
    app.lookout.put(input, Some(noticed));
}

#[cfg(test)]
mod tests {
    use brookbox_media::{flv_tag_header, flv_tag_trailer};

    use super::*;

    fn tag(body: &[u8]) -> Vec<u8> {
        let len = u32::try_from(body.len()).unwrap();
        [&flv_tag_header(Media::Audio, 0, len)[..], body, &flv_tag_trailer(len)].concat()
    }

    #[tokio::test]
    async fn opus_in_enhanced_rtmp_is_listened_to() {
        let start = tag(b"\x90OpusOpusHead\x01\x02\x38\x01\x80\xbb\0\0\0\0\0");
        // 20 ms in which there is nothing, as libopus writes them.
        let silence = tag(b"\x91Opus\xfc\xff\xfe").repeat(12);
        let excerpt = Excerpt { tags: [start, silence].concat(), ..Excerpt::default() };
        let mut attention = Attention::default();
        for _ in 0..20 {
            let heard = attention.sound_of(&excerpt);
            assert_eq!(
                (heard.frames.len(), attention.config.as_ref().map(|(codec, _)| *codec)),
                (12, Some(FourCc::OPUS))
            );
            attention = attention.second(None, Some(heard)).await;
        }
        assert!(attention.peak.is_some_and(|peak| peak < -90.0), "{:?}", attention.peak);
        assert!(attention.sound.silent);
    }

    async fn listen(mut attention: Attention, seconds: u32, tags: &[Vec<u8>]) -> Attention {
        let excerpt = Excerpt { tags: tags.concat(), ..Excerpt::default() };
        for _ in 0..seconds {
            let heard = attention.sound_of(&excerpt);
            attention = attention.second(None, Some(heard)).await;
        }
        attention
    }

    #[tokio::test]
    async fn sound_that_stops_altogether_is_silence() {
        let start = tag(b"\xaf\x00\x11\x90");
        // No decoder knows this one, and it is sound all the same.
        let unmeasured = tag(b"\x2f\x01\x02\x03\x04").repeat(12);
        for begins in [[start.clone(), tag(b"\xaf\x01\x21\x10\x04\x60\x8c\x1c").repeat(12)], [Vec::new(), unmeasured]] {
            let attention = listen(Attention::default(), 1, &begins).await;
            assert!(!attention.sound.silent);
            let attention = listen(attention, 20, &begins[..1]).await;
            assert!(attention.sound.silent && attention.peak.is_none());
        }
        let attention = listen(Attention::default(), 60, &[start]).await;
        assert!(!attention.sound.silent, "there never was any");
    }

    #[tokio::test]
    async fn silence_ends_with_a_codec_that_is_not_measured() {
        let start = tag(b"\xaf\x00\x11\x90");
        let silence = tag(b"\xaf\x01\x21\x10\x04\x60\x8c\x1c").repeat(12);
        let attention = listen(Attention::default(), 20, &[start.clone(), silence.clone()]).await;
        assert!(attention.sound.silent);
        let mp3 = tag(b"\x2f\x01\x02\x03\x04").repeat(12);
        let attention = listen(attention, 1, &[mp3]).await;
        assert!(!attention.sound.silent && attention.peak.is_none());
        let attention = listen(attention, 20, &[start.clone(), silence]).await;
        assert!(attention.sound.silent);
        let flac = [tag(b"\x90fLaC\0\0\0\x22"), tag(b"\x91fLaC\x01\x02").repeat(12)];
        assert!(!listen(attention, 1, &flac).await.sound.silent);
    }

    #[test]
    fn the_longest_row_of_the_last_half_minutes_holds() {
        let mut attention = Attention::default();
        let mut after = |seconds: u32, longest| {
            for _ in 0..seconds {
                attention.listens();
                attention.note_b_frames(longest);
            }
            attention.b_frames.into_iter().max()
        };
        assert_eq!(after(10, 3), Some(3));
        assert_eq!(after(20, 0), Some(3));
        assert_eq!(after(60, 0), Some(0));
    }
}

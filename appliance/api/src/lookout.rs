//! Looks at what comes in: alarms for a picture that stands still and for silence, each to be muted, and plain advice where
//! a stream is not what the platforms ask for. It is one more reader of the log, and decodes a quarter of each second of
//! sound on a thread where that disturbs nobody.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use brookbox_media::{FourCc, Kind, Media, Role, flv_tags, packets};
use brookbox_relay::{InputState, NewViewer};
use brookbox_store::Time;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use crate::app::App;
use crate::attention::{Ear, Picture, Sound};
use crate::sentences::Deed;

/// Frames of sound that are decoded of each second.
const SOUND_FRAMES: usize = 12;
/// Bytes before the first tag.
const FLV_HEADER: usize = 13;
/// The setting that says what is muted.
const MUTED: &str = "mutedAlarms";

/// Alarms there are.
pub(crate) const FROZEN: &str = "frozen";
pub(crate) const SILENT: &str = "silent";
pub(crate) const ALARMS: [(&str, &str); 2] = [(FROZEN, FROZEN), (SILENT, SILENT)];

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
    alarms: BTreeMap<&'static str, Time>,
    /// The loudest of the last second, dBFS; `None`: not measured.
    pub(crate) peak_dbfs: Option<f64>,
}

impl Lookout {
    /// Reads what is muted.
    pub(crate) fn new(store: &brookbox_store::Store) -> Result<Self, brookbox_store::Error> {
        let muted = store.setting(MUTED)?.unwrap_or_default();
        Ok(Self { muted: Mutex::new(muted), ..Self::default() })
    }

    /// What is noticed of an input now, without what is muted.
    pub(crate) fn of(&self, input: &str) -> (Vec<(&'static str, Time)>, Option<f64>) {
        let noticed = lock(&self.inputs).get(input).cloned().unwrap_or_default();
        let alarms = noticed.alarms.into_iter().filter(|(code, _)| !self.is_muted(input, code));
        (alarms.collect(), noticed.peak_dbfs)
    }

    /// What is muted at an input.
    pub(crate) fn muted(&self, input: &str) -> Vec<String> {
        lock(&self.muted).get(input).into_iter().flatten().cloned().collect()
    }

    /// Mutes these alarms of an input, and no others.
    pub(crate) fn mute(
        &self,
        store: &brookbox_store::Store,
        input: &str,
        codes: &[&str],
    ) -> Result<(), brookbox_store::Error> {
        let mut muted = lock(&self.muted);
        let mut wanted = muted.clone();
        wanted.insert(input.to_owned(), codes.iter().map(|&code| code.to_owned()).collect());
        // Inputs that are gone take no room.
        let inputs = store.inputs()?;
        wanted.retain(|id, codes| !codes.is_empty() && inputs.iter().any(|input| input.id == *id));
        store.put_setting(MUTED, &wanted)?;
        *muted = wanted;
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

/// Looks at every input that receives. Ends with the program.
pub(crate) async fn run(app: App) {
    let mut tick = interval(Duration::from_secs(1));
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut watched, mut watchers) = (BTreeSet::new(), JoinSet::new());
    loop {
        tick.tick().await;
        while let Some(ended) = watchers.try_join_next() {
            if let Ok(input) = ended {
                watched.remove(&input);
            }
        }
        let snapshot = app.engine.snapshot();
        let receiving = snapshot.inputs.iter().filter(|(_, input)| input.state == InputState::Receiving);
        for (id, _) in receiving {
            if watched.insert(id.to_string()) {
                watchers.spawn(watch(app.clone(), id.to_string()));
            }
        }
    }
}

/// Looks at one input until its programme ends. Returns its name.
async fn watch(app: App, input: String) -> String {
    let peer = ([127, 0, 0, 1], 0).into();
    let new = NewViewer { input: input.as_str().into(), peer, program: None, protocol: "internal", hidden: true };
    let Ok(mut viewing) = app.engine.view(new).await else { return input };
    let mut tick = interval(Duration::from_secs(1));
    tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let (mut second, mut attention, mut is_first) = (Second::default(), Attention::default(), true);
    loop {
        tokio::select! {
            piece = viewing.next() => {
                let Some(piece) = piece else { break };
                let start = if std::mem::take(&mut is_first) { FLV_HEADER } else { 0 };
                second.note(piece.get(start..).unwrap_or_default(), &mut attention.config);
            }
            _ = tick.tick() => {
                attention = attention.second(std::mem::take(&mut second)).await;
                tell(&app, &input, &attention).await;
            }
        }
    }
    app.lookout.put(&input, None);
    input
}

/// What came in one second.
#[derive(Default)]
struct Second {
    inter_bytes: u64,
    inter_frames: u64,
    sound: Vec<Vec<u8>>,
}

impl Second {
    fn note(&mut self, tags: &[u8], config: &mut Option<Vec<u8>>) {
        for tag in flv_tags(tags) {
            for (packet, data) in packets(tag.media, tag.body).filter(|(packet, _)| packet.track == 0) {
                match (tag.media, packet.kind, packet.role) {
                    (Media::Video, Kind::Frames, Role::Inter) => {
                        self.inter_bytes += data.len() as u64;
                        self.inter_frames += 1;
                    }
                    (Media::Audio, Kind::SequenceStart, _) => {
                        *config = Some(data.to_vec()).filter(|_| packet.codec == Some(FourCc::AAC));
                    }
                    (Media::Audio, Kind::Frames, _) if self.sound.len() < SOUND_FRAMES && config.is_some() => {
                        self.sound.push(data.to_vec());
                    }
                    _ => {}
                }
            }
        }
    }
}

/// What is known of one input's picture and sound.
#[derive(Default)]
struct Attention {
    picture: Picture,
    sound: Sound,
    /// The sound's configuration, and the decoder that was made for it.
    config: Option<Vec<u8>>,
    ear: Option<(Vec<u8>, Option<Ear>)>,
    peak: Option<f64>,
}

impl Attention {
    async fn second(mut self, second: Second) -> Self {
        self.picture.second(second.inter_bytes.checked_div(second.inter_frames));
        if self.ear.as_ref().map(|(config, _)| config) != self.config.as_ref() {
            self.ear = self.config.clone().map(|config| {
                let ear = Ear::new(&config);
                (config, ear)
            });
        }
        self.peak = None;
        if let Some((config, Some(mut ear))) = self.ear.take() {
            // A decoder that panics on what a publisher sends ends here: this stream's sound is not measured any more.
            let heard = tokio::task::spawn_blocking(move || (ear.peak(&second.sound), ear)).await;
            let (peak, ear) = heard.map_or((None, None), |(peak, ear)| (peak, Some(ear)));
            (self.peak, self.ear) = (peak, Some((config, ear)));
        }
        self.sound.second(self.peak);
        self
    }
}

/// Shows what is noticed, and tells what began or ended.
async fn tell(app: &App, input: &str, attention: &Attention) {
    let before = lock(&app.lookout.inputs).get(input).cloned().unwrap_or_default();
    let mut noticed = Noticed { peak_dbfs: attention.peak, ..before.clone() };
    for (code, is_on) in [(FROZEN, attention.picture.frozen), (SILENT, attention.sound.silent)] {
        let was_on = noticed.alarms.contains_key(code);
        match is_on {
            true => _ = noticed.alarms.entry(code).or_insert_with(Time::now),
            false => _ = noticed.alarms.remove(code),
        }
        if is_on != was_on && !app.lookout.is_muted(input, code) {
            app.note(Deed::Noticed { input, alarm: code, is_on }.event(None)).await;
        }
    }
    app.lookout.put(input, Some(noticed));
}

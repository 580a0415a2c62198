use brookbox_relay::*;
use std::time::Duration;
fn main() {
    tracing_subscriber::fmt().with_env_filter("info").with_writer(std::io::stderr).init();
    let args: Vec<String> = std::env::args().collect();
    let (handle, mut reports) = start(Settings { rtmp: args[1].parse().unwrap(), extra_roots: vec![], variables: vec![], limits: BoxLimits::default(), broadcast: BroadcastState::default(), own_listeners: vec![] }).unwrap();
    let rt = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    rt.block_on(async move {
        tokio::spawn(async move { while reports.recv().await.is_some() {} });
        handle.put_input(Input { id: "main".into(), name: "Main".into(), enabled: true, key: "0123456789abcdef".to_owned().into(), limits: InputLimits::default(), allow_public: false }).await.unwrap();
        for (i, url) in args[2..].iter().enumerate() {
            let (u, k) = url.rsplit_once('/').unwrap();
            handle.put_destination(Destination { id: format!("d{i}").into(), name: format!("D{i}"), platform: "custom".into(), url: u.into(), backup_url: None, key: k.to_owned().into(), login: None, output: "main/passthrough".into(), enabled: true, start_mode: StartMode::WithStream, retry_for: None, allow_local: true, platform_facts: PlatformFacts::default() }).await.unwrap();
        }
        println!("ready rtmp={}", handle.rtmp());
        loop { tokio::time::sleep(Duration::from_secs(2)).await; eprintln!("{}", serde_json::to_string(&*handle.snapshot()).unwrap()); }
    });
}

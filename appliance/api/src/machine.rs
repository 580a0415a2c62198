//! What the system says of the machine it runs on. What it does not say is `None`: nothing here is guessed.

use std::fs;
use std::path::Path;

use serde::Serialize;
use utoipa::ToSchema;

/// A file of the system larger than this is not what it should be.
const MOST: u64 = 64 << 10;

/// The machine. A `null` was not measured: this machine does not say it.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Machine {
    /// What the board calls itself.
    #[schema(example = "Raspberry Pi 5 Model B Rev 1.0")]
    pub(crate) model: Option<String>,
    /// Processors in use.
    pub(crate) processors: Option<u32>,
    /// Mean number of programs that wanted to run, over one minute.
    pub(crate) load: Option<f64>,
    /// The hottest thermal zone, °C.
    pub(crate) temperature_c: Option<f64>,
    /// Where the processor is slowed down, °C.
    pub(crate) throttle_c: Option<f64>,
    /// Whether the processor is slowed down now, for heat or want of power.
    pub(crate) throttled: Option<bool>,
    /// Whether the supply voltage is too low now.
    pub(crate) undervoltage: Option<bool>,
    /// Bytes of memory.
    pub(crate) memory_total: Option<u64>,
    /// Bytes of memory that programs could still have.
    pub(crate) memory_available: Option<u64>,
    /// The file system that holds the box's data.
    pub(crate) storage: Option<Storage>,
    /// Whether the clock is in step with a time server.
    pub(crate) clock_synchronized: Option<bool>,
    /// Network interfaces apart from loopback.
    pub(crate) network: Vec<Interface>,
}

/// A file system.
#[derive(Serialize, ToSchema)]
pub(crate) struct Storage {
    /// Bytes in all.
    pub(crate) total: u64,
    /// Bytes that the box may still write.
    pub(crate) free: u64,
}

/// A network interface.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Interface {
    #[schema(example = "eth0")]
    pub(crate) name: String,
    /// Whether there is a carrier.
    pub(crate) up: bool,
    /// Mbit/s; wireless and virtual ones do not say.
    pub(crate) speed_mbps: Option<u32>,
    #[schema(example = json!(["192.168.1.40"]))]
    pub(crate) addresses: Vec<String>,
}

/// Asks the system; takes a few ms, for a thread that may wait.
pub(crate) fn look(data_dir: &Path) -> Machine {
    look_in(Path::new("/"), data_dir)
}

fn look_in(root: &Path, data_dir: &Path) -> Machine {
    let at = |path: &str| root.join(path);
    let memory = read(&at("proc/meminfo")).unwrap_or_default();
    let zones = numbered(&at("sys/class/thermal"), "thermal_zone");
    Machine {
        model: read(&at("sys/firmware/devicetree/base/model")).or_else(|| read(&at("sys/class/dmi/id/product_name"))),
        processors: std::thread::available_parallelism().ok().and_then(|count| count.get().try_into().ok()),
        load: load(&at("proc/loadavg")),
        temperature_c: zones.iter().filter_map(|zone| milli(&zone.join("temp"))).reduce(f64::max),
        throttle_c: zones.iter().filter_map(|zone| passive_trip(zone)).reduce(f64::min),
        throttled: throttled(root),
        undervoltage: undervoltage(root),
        memory_total: kilobytes(&memory, "MemTotal:").or_else(|| memory_of(root)),
        memory_available: kilobytes(&memory, "MemAvailable:"),
        storage: storage(data_dir),
        clock_synchronized: clock(&at("run/systemd/timesync")),
        network: network(&at("sys/class/net")),
    }
}

/// A small text of the system's, without what pads it.
fn read(path: &Path) -> Option<String> {
    use std::io::Read;
    let mut bytes = Vec::new();
    fs::File::open(path).ok()?.take(MOST).read_to_end(&mut bytes).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    Some(text.trim_matches(['\0', '\n', ' ']).to_owned()).filter(|text| !text.is_empty())
}

/// Thousandths.
fn milli(path: &Path) -> Option<f64> {
    let value: i32 = read(path)?.parse().ok()?;
    // Sensors that are not there say 0 or less.
    Some(f64::from(value) / 1000.0).filter(|value| *value > 0.0)
}

fn numbered(dir: &Path, prefix: &str) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(dir).into_iter().flatten().filter_map(Result::ok);
    let mut found: Vec<_> = entries
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix))
        .map(|entry| entry.path())
        .take(64)
        .collect();
    found.sort();
    found
}

/// Where a thermal zone begins to slow things down.
fn passive_trip(zone: &Path) -> Option<f64> {
    let trips = (0..16)
        .filter(|number| read(&zone.join(format!("trip_point_{number}_type"))).is_some_and(|kind| kind == "passive"));
    trips.filter_map(|number| milli(&zone.join(format!("trip_point_{number}_temp")))).reduce(f64::min)
}

/// What a Raspberry Pi's firmware says: bit 0 is the supply voltage, bits 1 to 3 are ways of being slowed down. Other boards,
/// and kernels without that driver, do not say it.
fn firmware(root: &Path) -> Option<u32> {
    let platform = root.join("sys/devices/platform");
    let of = |dir: &Path| -> Option<u32> {
        let found = numbered(dir, "").into_iter().filter(|path| path.to_string_lossy().ends_with("firmware"));
        found.map(|path| path.join("get_throttled")).find_map(|path| {
            let text = read(&path)?;
            u32::from_str_radix(text.trim_start_matches("0x"), 16).ok()
        })
    };
    of(&platform).or_else(|| numbered(&platform, "soc").iter().find_map(|soc| of(soc)))
}

/// The firmware's word, or whether the kernel holds a processor back.
fn throttled(root: &Path) -> Option<bool> {
    if let Some(bits) = firmware(root) {
        return Some(bits & 0b1110 != 0);
    }
    let cooling = numbered(&root.join("sys/class/thermal"), "cooling_device").into_iter().filter(|device| {
        let kind = read(&device.join("type")).unwrap_or_default();
        kind.starts_with("cpufreq") || kind.starts_with("thermal-cpufreq") || kind == "Processor"
    });
    let states = cooling.filter_map(|device| read(&device.join("cur_state"))?.parse::<u32>().ok());
    states.map(|state| state > 0).reduce(|one, other| one || other)
}

/// The Raspberry Pi's own sensor; other boards have none that is known here.
fn undervoltage(root: &Path) -> Option<bool> {
    let sensors = numbered(&root.join("sys/class/hwmon"), "hwmon");
    let sensor = sensors.iter().find(|sensor| read(&sensor.join("name")).is_some_and(|name| name == "rpi_volt"));
    let alarm = sensor.and_then(|sensor| read(&sensor.join("in0_lcrit_alarm"))).map(|alarm| alarm == "1");
    alarm.or_else(|| firmware(root).map(|bits| bits & 1 != 0))
}

/// By its file, or by the system call where a service may not see that.
fn load(path: &Path) -> Option<f64> {
    let told = read(path).and_then(|text| text.split(' ').next()?.parse().ok());
    told.or_else(|| {
        is_real(path).then(|| nix::sys::sysinfo::sysinfo().ok()).flatten().map(|info| info.load_average().0)
    })
}

fn memory_of(root: &Path) -> Option<u64> {
    is_real(root).then(|| nix::sys::sysinfo::sysinfo().ok()).flatten().map(|info| info.ram_total())
}

/// Whether a path is of this machine, and not of a folder that stands for another.
fn is_real(path: &Path) -> bool {
    path == Path::new("/") || path.starts_with("/proc")
}

fn kilobytes(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    Some(line.trim().trim_end_matches("kB").trim().parse::<u64>().ok()? * 1024)
}

fn storage(dir: &Path) -> Option<Storage> {
    let found = nix::sys::statvfs::statvfs(dir).ok()?;
    let size = found.fragment_size();
    Some(Storage { total: found.blocks() * size, free: found.blocks_available() * size })
}

/// systemd-timesyncd leaves a file there once it is in step; where it does not run, nobody says.
fn clock(dir: &Path) -> Option<bool> {
    dir.is_dir().then(|| dir.join("synchronized").exists())
}

fn network(dir: &Path) -> Vec<Interface> {
    let addresses: Vec<_> = nix::ifaddrs::getifaddrs().into_iter().flatten().collect();
    let of = |name: &str| -> Vec<String> {
        let own = addresses.iter().filter(|interface| interface.interface_name == name);
        own.filter_map(|interface| crate::net::ip(interface.address?)).map(|address| address.to_string()).collect()
    };
    let interfaces = numbered(dir, "").into_iter().filter_map(|path| {
        let name = path.file_name()?.to_str()?.to_owned();
        let up = read(&path.join("operstate")).is_some_and(|state| state == "up");
        let speed_mbps = read(&path.join("speed")).and_then(|speed| speed.parse().ok()).filter(|_| up);
        Some(Interface { up, speed_mbps, addresses: of(&name), name })
    });
    interfaces.filter(|interface| interface.name != "lo").collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_system_says_is_read_and_nothing_else_told() {
        let root = tempfile::tempdir().unwrap();
        let nothing = look_in(root.path(), &root.path().join("nowhere"));
        assert!(nothing.model.is_none() && nothing.temperature_c.is_none() && nothing.memory_total.is_none());
        assert!(nothing.storage.is_none() && nothing.clock_synchronized.is_none() && nothing.undervoltage.is_none());
        let put = |path: &str, text: &str| {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        put("sys/firmware/devicetree/base/model", "Raspberry Pi 5 Model B Rev 1.0\0");
        put("proc/meminfo", "MemTotal:        4048576 kB\nMemFree: 1 kB\nMemAvailable:    2000000 kB\n");
        put("proc/loadavg", "0.52 0.58 0.59 1/257 9999\n");
        put("sys/class/thermal/thermal_zone0/temp", "52345\n");
        put("sys/class/thermal/thermal_zone0/trip_point_0_type", "passive\n");
        put("sys/class/thermal/thermal_zone0/trip_point_0_temp", "80000\n");
        put("sys/class/thermal/thermal_zone1/temp", "0\n");
        put("sys/class/thermal/cooling_device0/type", "cpufreq-cpu0\n");
        put("sys/class/thermal/cooling_device0/cur_state", "0\n");
        put("sys/class/thermal/cooling_device1/type", "Fan\n");
        put("sys/class/thermal/cooling_device1/cur_state", "3\n");
        put("sys/class/hwmon/hwmon2/name", "rpi_volt\n");
        put("sys/class/hwmon/hwmon2/in0_lcrit_alarm", "0\n");
        put("sys/class/net/eth0/operstate", "up\n");
        put("sys/class/net/eth0/speed", "1000\n");
        put("sys/class/net/wlan0/operstate", "down\n");
        put("sys/class/net/wlan0/speed", "-1\n");
        put("sys/class/net/lo/operstate", "unknown\n");
        put("run/systemd/timesync/synchronized", "");
        let machine = look_in(root.path(), root.path());
        assert_eq!(machine.model.as_deref(), Some("Raspberry Pi 5 Model B Rev 1.0"));
        assert_eq!((machine.memory_total, machine.memory_available), (Some(4_145_741_824), Some(2_048_000_000)));
        assert_eq!((machine.load, machine.temperature_c, machine.throttle_c), (Some(0.52), Some(52.345), Some(80.0)));
        assert_eq!((machine.undervoltage, machine.clock_synchronized), (Some(false), Some(true)));
        let storage = machine.storage.unwrap();
        assert!(storage.total > storage.free && storage.free > 0);
        let network: Vec<_> = machine.network.iter().map(|one| (one.name.as_str(), one.up, one.speed_mbps)).collect();
        assert_eq!(network, [("eth0", true, Some(1000)), ("wlan0", false, None)]);
        assert_eq!(machine.throttled, Some(false));
        put("sys/class/thermal/cooling_device0/cur_state", "2\n");
        assert_eq!(look_in(root.path(), root.path()).throttled, Some(true));
        // The firmware knows better; of the sensor's two, the sensor.
        put("sys/devices/platform/soc/soc:firmware/get_throttled", "50000\n");
        let machine = look_in(root.path(), root.path());
        assert_eq!((machine.throttled, machine.undervoltage), (Some(false), Some(false)), "it was, and is no more");
        put("sys/devices/platform/soc/soc:firmware/get_throttled", "5\n");
        fs::remove_file(root.path().join("sys/class/hwmon/hwmon2/name")).unwrap();
        let machine = look_in(root.path(), root.path());
        assert_eq!((machine.throttled, machine.undervoltage), (Some(true), Some(true)));
    }
}

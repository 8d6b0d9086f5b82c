//! The choice of an adapter: which there are, which one is taken and why.

use wgpu::{Backends, DeviceType};

use crate::{Error, Result};

/// The user's choice of an adapter.
#[derive(Clone, Debug, Default)]
pub struct Choice {
    /// A part of the adapter's name, in any letter case. Without it, `WGPU_ADAPTER_NAME` counts.
    pub name: Option<String>,
    /// How many of the first matching adapters to pass over, because they turned out not to work.
    pub passed_over: usize,
    /// Whether the device must also support a [`Profiler`](super::Profiler).
    pub timestamps: bool,
}

/// An adapter of this machine.
pub struct Found {
    /// The adapter.
    pub adapter: wgpu::Adapter,
    /// Its name, driver and kind.
    pub info: wgpu::AdapterInfo,
}

impl Found {
    /// Name, backend and driver in one line.
    pub fn describe(&self) -> String {
        describe(&self.info)
    }
}

/// Name, backend and driver in one line.
pub fn describe(info: &wgpu::AdapterInfo) -> String {
    let driver = [info.driver.as_str(), info.driver_info.as_str()];
    let driver: Vec<&str> = driver.into_iter().filter(|part| !part.is_empty()).collect();
    let driver = if driver.is_empty() { String::new() } else { format!(", {}", driver.join(" ")) };
    let backend = if is_translated(info) { "dx12 by Wine, over vulkan".to_owned() } else { info.backend.to_string() };
    format!("{} ({backend}, {}{driver})", info.name, kind(info.device_type))
}

/// One word for the kind of an adapter.
pub fn kind(device_type: DeviceType) -> &'static str {
    match device_type {
        DeviceType::DiscreteGpu => "discrete GPU",
        DeviceType::IntegratedGpu => "integrated GPU",
        DeviceType::VirtualGpu => "virtual GPU",
        DeviceType::Cpu => "software on the CPU",
        DeviceType::Other => "unknown kind",
    }
}

/// Every adapter of the backends that `WGPU_BACKEND` allows (all by default), in order of preference.
pub async fn list() -> Vec<Found> {
    let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle();
    // Reads `WGPU_DX12_COMPILER` among others.
    descriptor.backend_options = wgpu::BackendOptions::from_env_or_default();
    descriptor.backends = Backends::from_env().unwrap_or(Backends::PRIMARY);
    descriptor.flags =
        wgpu::InstanceFlags::from_env_or_default().difference(wgpu::InstanceFlags::VALIDATION_INDIRECT_CALL);
    let backends = descriptor.backends;
    let instance = wgpu::Instance::new(descriptor);
    let mut found: Vec<Found> = Vec::new();
    for adapter in instance.enumerate_adapters(backends).await {
        let info = adapter.get_info();
        found.push(Found { adapter, info });
    }
    found.sort_by_key(|found| order(is_translated(&found.info), found.info.device_type));
    found
}

/// The order of adapters: those of Wine's DX12 last, whatever kind they claim to be.
fn order(translated: bool, device_type: DeviceType) -> (bool, u32) {
    (translated, rank(device_type))
}

/// Whether a DX12 adapter is Wine's: DX12 over Vulkan, reported as a card that does not exist if the Vulkan driver runs on the
/// CPU. Vulkan offers the same adapter directly.
fn is_translated(info: &wgpu::AdapterInfo) -> bool {
    info.backend == wgpu::Backend::Dx12 && std::env::var_os("WINEDATADIR").is_some()
}

fn rank(device_type: DeviceType) -> u32 {
    match device_type {
        DeviceType::DiscreteGpu => 0,
        DeviceType::IntegratedGpu => 1,
        DeviceType::VirtualGpu => 2,
        DeviceType::Other => 3,
        DeviceType::Cpu => 4,
    }
}

/// The adapter that `WGPU_ADAPTER_NAME` asks for.
pub fn name_from_environment() -> Option<String> {
    std::env::var("WGPU_ADAPTER_NAME").ok().filter(|name| !name.is_empty())
}

/// Takes the first adapter whose name contains the wanted part and that is not passed over, and says why it is that one.
pub fn choose(found: Vec<Found>, choice: &Choice) -> Result<(Found, String)> {
    let (wanted, whence) = match (&choice.name, name_from_environment()) {
        (Some(name), _) => (Some(name.clone()), "--adapter"),
        (None, Some(name)) => (Some(name), "WGPU_ADAPTER_NAME"),
        (None, None) => (None, ""),
    };
    if found.is_empty() {
        return Err(Error::NoAdapter(none_at_all()));
    }
    let wines = found.iter().any(|found| is_translated(&found.info));
    let Some(wanted) = wanted else {
        let (count, passed) = (found.len(), choice.passed_over);
        let none_left = || Error::NoAdapter(format!("no adapter is left: {passed} of {count} are passed over"));
        let first = found.into_iter().nth(passed).ok_or_else(none_left)?;
        let passed = if passed > 0 { format!(" after {passed} passed over") } else { String::new() };
        let last = if wines { ", with DX12 by Wine after all others" } else { "" };
        let why = format!(
            "the first{passed} in the order discrete, integrated, virtual, other, software{last}; it is {}",
            kind(first.info.device_type)
        );
        return Ok((first, why));
    };
    let lower = wanted.to_lowercase();
    let names: Vec<String> = found.iter().map(|found| format!("\"{}\"", found.info.name)).collect();
    let mut fitting = found.into_iter().filter(|found| found.info.name.to_lowercase().contains(&lower));
    match fitting.nth(choice.passed_over) {
        Some(found) => Ok((found, format!("its name contains \"{wanted}\" ({whence})"))),
        None => Err(Error::NoAdapter(format!(
            "no adapter's name contains \"{wanted}\" ({whence}); there is: {}",
            names.join(", ")
        ))),
    }
}

fn none_at_all() -> String {
    let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let backend = set("WGPU_BACKEND").map_or(String::new(), |value| format!(" for WGPU_BACKEND={value}"));
    if set("WGPU_BACKEND").is_some_and(|value| !value.to_lowercase().contains("vulkan")) {
        return format!("no GPU adapter{backend}: unset it, or give vulkan, metal or dx12, where there is a driver");
    }
    let files = ["VK_DRIVER_FILES", "VK_ICD_FILENAMES"].into_iter().find_map(|name| Some((name, set(name)?)));
    let unset = files.map_or(String::new(), |(name, value)| {
        format!("{name} is set to \"{value}\": unset it, or name a driver that is here; or else ")
    });
    format!(
        "no GPU adapter{backend}: {unset}install a driver; without a GPU, Mesa's software driver will do \
         (Debian and Ubuntu: apt install mesa-vulkan-drivers; Fedora: dnf install mesa-vulkan-drivers; Arch: pacman -S vulkan-swrast)"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_that_wine_makes_up_comes_after_every_other_adapter() {
        let mut all = [
            (true, DeviceType::IntegratedGpu),
            (false, DeviceType::Cpu),
            (true, DeviceType::DiscreteGpu),
            (false, DeviceType::DiscreteGpu),
        ];
        all.sort_by_key(|&(translated, device_type)| order(translated, device_type));
        let wanted = [
            (false, DeviceType::DiscreteGpu),
            (false, DeviceType::Cpu),
            (true, DeviceType::DiscreteGpu),
            (true, DeviceType::IntegratedGpu),
        ];
        assert_eq!(all, wanted);
    }
}

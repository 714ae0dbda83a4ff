use serde::Serialize;

use super::is_zero;
use crate::compose::cursor::Cursor;
use crate::compose::fields::Fields;
use crate::compose::quantity::as_text;

/// Limits of reading from and writing to disks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct BlockIo {
    /// Relative weight, 10 to 1000.
    #[serde(skip_serializing_if = "is_zero")]
    pub weight: i64,
    /// Relative weight for single devices.
    #[serde(skip_serializing_if = "is_zero")]
    pub weight_device: Vec<DeviceWeight>,
    /// Bytes read in a second.
    #[serde(skip_serializing_if = "is_zero")]
    pub device_read_bps: Vec<DeviceRate>,
    /// Reads in a second.
    #[serde(skip_serializing_if = "is_zero")]
    pub device_read_iops: Vec<DeviceRate>,
    /// Bytes written in a second.
    #[serde(skip_serializing_if = "is_zero")]
    pub device_write_bps: Vec<DeviceRate>,
    /// Writes in a second.
    #[serde(skip_serializing_if = "is_zero")]
    pub device_write_iops: Vec<DeviceRate>,
}

/// The weight of one device.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct DeviceWeight {
    /// Its path on the host.
    pub path: String,
    /// Its weight.
    pub weight: i64,
}

/// The limit of one device.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct DeviceRate {
    /// Its path on the host.
    pub path: String,
    /// Bytes or operations in a second.
    #[serde(serialize_with = "as_text")]
    pub rate: i64,
}

pub(super) fn read(cursor: &Cursor) -> Option<BlockIo> {
    let fields = cursor.fields()?;
    let limits = BlockIo {
        weight: fields.int("weight"),
        weight_device: devices(&fields, "weight_device", |device, path| DeviceWeight {
            path,
            weight: device.int("weight"),
        }),
        device_read_bps: devices(&fields, "device_read_bps", rate),
        device_read_iops: devices(&fields, "device_read_iops", rate),
        device_write_bps: devices(&fields, "device_write_bps", rate),
        device_write_iops: devices(&fields, "device_write_iops", rate),
    };
    fields.close();
    Some(limits)
}

fn rate(device: &Fields, path: String) -> DeviceRate {
    DeviceRate { path, rate: device.bytes("rate") }
}

fn devices<T>(fields: &Fields, key: &'static str, of: impl Fn(&Fields, String) -> T) -> Vec<T> {
    let items = fields.get(key).map(|cursor| cursor.list()).unwrap_or_default();
    let device = |cursor: &Cursor| {
        let fields = cursor.fields()?;
        let device = of(&fields, fields.string("path"));
        fields.close();
        Some(device)
    };
    items.iter().filter_map(device).collect()
}

//! The families of shaders: what they are, how they keep matrices, and sets of their texts.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// Shaders of the same names and meaning, made for one kind of adapter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Family {
    /// Storage buffers, workgroup memory and register blocking: runs wherever WebGPU does.
    Tiled,
    /// Storage textures and one subgroup of 8 a workgroup: for drivers that compute on a processor.
    Lanes,
}

impl Family {
    /// Every family.
    pub const ALL: [Self; 2] = [Self::Tiled, Self::Lanes];

    /// The word for it on the command line and in records, and its folder under `shaders/`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tiled => "tiled",
            Self::Lanes => "lanes",
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Family {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|family| family.name() == text).ok_or_else(|| {
            let names: Vec<_> = Self::ALL.iter().map(|family| family.name()).collect();
            Error::config(format!(
                "kernel family \"{text}\" is not one of: auto, {}",
                names.join(", ")
            ))
        })
    }
}

/// Something of each family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ByFamily<T> {
    /// Of [`Family::Tiled`].
    pub tiled: T,
    /// Of [`Family::Lanes`].
    pub lanes: T,
}

impl<T> ByFamily<T> {
    /// That of this family.
    pub fn of(&self, family: Family) -> &T {
        match family {
            Family::Tiled => &self.tiled,
            Family::Lanes => &self.lanes,
        }
    }
}

/// How a family keeps a matrix or vector on the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A buffer of numbers, row after row.
    Packed,
    /// A buffer of vec4s, each row padded to whole ones.
    Padded,
    /// A texture of four columns a texel, each row padded to whole ones.
    Texels,
}

"""Settings: one name everywhere (TOML key, `DISPATCHER_NAME`, `--name`), each value checked and with its origin."""

from dispatcher.model.secret import Secret
from dispatcher.settings.configuration import Configuration
from dispatcher.settings.info import SettingInfo
from dispatcher.settings.load import load_configuration, load_settings
from dispatcher.settings.settings import Settings, describe
from dispatcher.settings.sources import CONFIG_FILE, CONFIG_VARIABLE
from dispatcher.settings.table import configuration_table

__all__ = [
    "CONFIG_FILE",
    "CONFIG_VARIABLE",
    "Configuration",
    "Secret",
    "SettingInfo",
    "Settings",
    "configuration_table",
    "describe",
    "load_configuration",
    "load_settings",
]

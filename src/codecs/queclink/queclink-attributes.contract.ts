import type { Attributes } from '../../model/position.js'

/** The cell of the sentence that the maker’s documents repeat. */
const EXAMPLE = { mcc: 460, mnc: 0, lac: 0x18d8, cellId: 0x6141 }

/**
 * What the reports say besides moment, place and movement, record by record; read off the texts of the frames by the maker's tables.
 * Fields that have no name are there by their places: the third behind the head is `io.3`.
 * @source Queclink, @Track air interface: cells are hexadecimal, and vehicle units say supply, odometer, battery and state
 */
export const QUECLINK_ATTRIBUTES: Readonly<Record<string, readonly Attributes[]>> = {
  'que-eri-gv200-vendor': [
    {
      ...{ report: 'GTERI', hdop: 1, mcc: 460, mnc: 0, lac: 0x5663, cellId: 0x5a02, odometerM: 0 },
      ...{ 'io.4': '00000001', 'io.6': '10', 'io.7': '1', 'io.19': '00', 'io.28': '1', 'io.29': '0097' },
    },
  ],
  'que-nmr-gl300-vendor': [
    { report: 'GTNMR', hdop: 1, ...EXAMPLE, 'io.4': '0', 'io.5': '0', 'io.6': '1', 'io.18': '00' },
  ],
  'que-dis-gl300-vendor': [
    { report: 'GTDIS', hdop: 1, ...EXAMPLE, 'io.4': '0', 'io.5': '0', 'io.6': '1', 'io.18': '00' },
  ],
  'que-dog-gl300-vendor': [
    { report: 'GTDOG', hdop: 1, ...EXAMPLE, 'io.4': '0', 'io.5': '0', 'io.6': '1', 'io.18': '00', 'io.19': '2000.0' },
  ],
  'que-igl-gl300-gaps-vendor': [{ report: 'GTIGL', hdop: 5, 'io.5': '00', 'io.6': '1' }],
  'que-epn-gl300-vendor': [{ report: 'GTEPN', ...EXAMPLE, 'io.15': '00' }],
  'que-buff-fri-vendor': [
    { report: 'GTFRI', hdop: 1, ...EXAMPLE, 'io.4': '0', 'io.5': '0', 'io.6': '1', 'io.18': '00' },
  ],
  'que-fri-2pos-manual': [
    { report: 'GTFRI', hdop: 1, ...EXAMPLE },
    { report: 'GTFRI', ...EXAMPLE, 'io.4': '0', 'io.5': '0', 'io.6': '2', 'io.18': '00', 'io.30': '00' },
  ],
  'que-igl-cv100': [
    {
      ...{ report: 'GTIGL', hdop: 1, mcc: 460, mnc: 1, lac: 0x25f8, cellId: 0x61a7d02 },
      ...{ 'io.3': 'cv100', 'io.5': '00', 'io.6': '1', 'io.19': '0.0' },
    },
  ],
  'que-fri-gv500map': [
    {
      ...{ report: 'GTFRI', hdop: 1, mcc: 310, mnc: 260, lac: 0x1ce9, cellId: 0x52a1, odometerM: 0 },
      ...{ 'io.6': '10', 'io.7': '1', 'io.19': '00', 'io.25': '420000' },
    },
  ],
  'que-fri-gv500-vin-nan': [
    {
      ...{ report: 'GTFRI', hdop: 1, mcc: 334, mnc: 20, lac: 0x84, cellId: 0x65ac, odometerM: 0, batteryLevelPct: 100 },
      ...{ 'io.3': '3VWGW6AJ0FM237324', 'io.4': 'gv500', 'io.6': '10', 'io.7': '1', 'io.19': '00' },
      ...{ 'io.25': '410000', 'io.26': '0', 'io.27': 'nan' },
    },
  ],
  'que-fri-gv500-vin-power': [
    {
      ...{ report: 'GTFRI', hdop: 1, mcc: 230, mnc: 3, lac: 0x9b14, cellId: 0x5891, externalVoltageV: 14.9 },
      ...{ odometerM: 74_100, batteryLevelPct: 83, ignition: true, movement: true },
      ...{ 'io.3': 'WF0GXXGBBGBM26503', 'io.6': '41', 'io.7': '1', 'io.19': '00', 'io.26': '799', 'io.27': '7.3' },
    },
  ],
  'que-eri-gv200': [
    {
      ...{ report: 'GTERI', hdop: 1, mcc: 420, mnc: 4, lac: 0xf23d, cellId: 0x31ef, odometerM: 17_363_600 },
      ...{ 'io.3': 'gv200', 'io.4': '00000002', 'io.6': '10', 'io.7': '1', 'io.19': '00' },
      ...{ 'io.23': '91', 'io.25': '00', 'io.26': '00', 'io.27': '2', 'io.28': '0' },
    },
  ],
  'que-buff-eri-gv200': [
    {
      ...{ report: 'GTERI', hdop: 1, mcc: 420, mnc: 1, lac: 0x01ae, cellId: 0x393d, odometerM: 19_273_000 },
      ...{ 'io.3': 'gv200', 'io.4': '00000002', 'io.6': '10', 'io.7': '1', 'io.19': '00' },
      ...{ 'io.23': '12', 'io.25': '05', 'io.26': '00', 'io.27': '2', 'io.28': '0' },
    },
  ],
}

import { type MigrationInterface, type QueryRunner, Table } from 'typeorm'
import { type Columns, columnsFor } from './columns.js'

/**
 * Alarms, the files that they name, what was done about them, and what they are found by. Moments are whole milliseconds and not
 * `datetime`: an alarm is never refused for its time, and `datetime` knows the years 1000 to 9999 only.
 */
export class CreateAlarms1795305600004 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    const columns = await columnsFor(queryRunner)
    for (const table of [alarms(columns), files(columns), changes(columns), ...searchTables(columns)]) {
      await queryRunner.createTable(table)
    }
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    for (const table of ['alarm_devices', 'alarm_words', 'alarm_blocks', 'alarm_changes', 'alarm_files', 'alarms']) {
      await queryRunner.dropTable(table)
    }
  }
}

function alarms({ text, longText, flag, integer, bigInteger, double }: Columns): Table {
  return new Table({
    name: 'alarms',
    columns: [
      // Begins with the unit's time, so that ids sort as alarms are listed.
      text('id', 32, { isPrimary: true }),
      text('device_id', 64),
      text('type', 32),
      bigInteger('time_ms'),
      // The unit's key, or its hash if it is long.
      text('event_key', 64),
      bigInteger('received_at_ms'),
      flag('time_suspect'),
      double('latitude', { isNullable: true }),
      double('longitude', { isNullable: true }),
      double('speed_kmh', { isNullable: true }),
      longText('attributes', { isNullable: true }),
      text('status', 16),
      longText('note', { isNullable: true }),
      text('assignee', 64, { isNullable: true }),
      flag('has_video'),
      integer('file_count'),
      integer('change_count'),
      // UTC day of the time, counted from 1970.
      integer('day'),
      // The day, but one for all days before 1970 and one for all after 2100.
      integer('block'),
      // Of a grid over the earth; null without a position.
      integer('cell', { isNullable: true }),
      // Folded words of file names and note, each after a blank.
      longText('search'),
    ],
    indices: [
      { name: 'alarms_identity', columnNames: ['device_id', 'type', 'time_ms', 'event_key'], isUnique: true },
      // Each gives the order of lists behind what is equal, and what other filters and summaries ask for.
      {
        name: 'alarms_by_device',
        columnNames: ['device_id', 'day', 'id', 'type', 'status', 'has_video', 'assignee'],
      },
      { name: 'alarms_by_type', columnNames: ['type', 'status', 'has_video', 'day', 'id', 'assignee'] },
      { name: 'alarms_by_status', columnNames: ['status', 'has_video', 'day', 'id'] },
      { name: 'alarms_by_assignee', columnNames: ['assignee', 'status', 'day', 'id', 'type', 'has_video'] },
      {
        name: 'alarms_by_place',
        columnNames: [
          'block',
          'cell',
          'id',
          'latitude',
          'longitude',
          'type',
          'status',
          'has_video',
          'device_id',
          'day',
        ],
      },
    ],
  })
}

function files({ text, integer }: Columns): Table {
  return new Table({
    name: 'alarm_files',
    withoutRowid: true,
    columns: [
      text('alarm_id', 32, { isPrimary: true }),
      integer('position', { isPrimary: true }),
      text('device_id', 64),
      text('file_name', 200),
      text('video_id', 64, { isNullable: true }),
    ],
    indices: [{ name: 'alarm_files_by_name', columnNames: ['device_id', 'file_name', 'alarm_id'] }],
  })
}

function changes({ text, longText, integer, bigInteger }: Columns): Table {
  return new Table({
    name: 'alarm_changes',
    withoutRowid: true,
    columns: [
      text('alarm_id', 32, { isPrimary: true }),
      integer('position', { isPrimary: true }),
      bigInteger('at_ms'),
      text('actor', 64),
      text('status', 16),
      longText('note', { isNullable: true }),
      text('assignee', 64, { isNullable: true }),
    ],
  })
}

/** Lists of what is rare walk from block to block, so that they read only what they give, wherever in time it is. */
function searchTables({ text, longText, integer }: Columns): Table[] {
  return [
    new Table({
      name: 'alarm_blocks',
      withoutRowid: true,
      columns: [integer('block', { isPrimary: true })],
    }),
    new Table({
      name: 'alarm_words',
      withoutRowid: true,
      columns: [
        integer('block', { isPrimary: true }),
        text('word', 64, { isPrimary: true }),
        text('alarm_id', 32, { isPrimary: true }),
      ],
    }),
    // Devices that have alarms, with the name and plate that their folded words were made of.
    new Table({
      name: 'alarm_devices',
      withoutRowid: true,
      columns: [
        text('device_id', 64, { isPrimary: true }),
        text('name', 255, { isNullable: true }),
        text('plate', 255, { isNullable: true }),
        longText('words'),
      ],
    }),
  ]
}

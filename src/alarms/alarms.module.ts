import { Module } from '@nestjs/common'
import { AlarmLinkSweeper } from './alarm-link-sweeper.js'
import { AlarmLinks } from './alarm-links.js'
import { AlarmNews } from './alarm-news.js'
import { AlarmsController } from './alarms.controller.js'
import { AlarmsService } from './alarms.service.js'

@Module({
  controllers: [AlarmsController],
  providers: [AlarmsService, AlarmNews, AlarmLinks, AlarmLinkSweeper],
  exports: [AlarmNews, AlarmLinks],
})
export class AlarmsModule {}

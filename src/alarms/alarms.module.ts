import { Module } from '@nestjs/common'
import { AlarmLinks } from './alarm-links.js'
import { AlarmNews } from './alarm-news.js'
import { AlarmsController } from './alarms.controller.js'
import { AlarmsService } from './alarms.service.js'

@Module({
  controllers: [AlarmsController],
  providers: [AlarmsService, AlarmNews, AlarmLinks],
  exports: [AlarmNews, AlarmLinks],
})
export class AlarmsModule {}

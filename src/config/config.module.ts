import { type DynamicModule, Global, Module } from '@nestjs/common'
import { AppConfig } from './app-config.js'

/** Gives the parsed configuration to whoever injects {@link AppConfig}. */
@Global()
@Module({})
export class ConfigModule {
  static of(config: AppConfig): DynamicModule {
    return { module: ConfigModule, providers: [{ provide: AppConfig, useValue: config }], exports: [AppConfig] }
  }
}

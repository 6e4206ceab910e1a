import { describeKills } from './online-kills.ts'

describeKills(1)

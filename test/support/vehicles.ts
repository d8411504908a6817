import { randomOf } from './random.ts';

/**
 * A small car fleet that drives the same way for the same seed.
 *
 * Each electric car reports once every ten seconds on `vehicles/<vin>/telemetry`, about 400 bytes of JSON:
 *
 *     {
 *       "vin": "WSX0EV1C8R0000001",          17 characters with a right check digit (ISO 3779)
 *       "sequence": 42,                      counts the car's reports from 1, without gaps
 *       "timestamp": "2026-03-02T06:07:00.000Z",
 *       "tripId": "WSX0EV1C8R0000001-3",     changes whenever the car parks and leaves again
 *       "ignition": true,
 *       "position": { "latitude": 48.137154, "longitude": 11.576124, "heading": 87, "altitude": 519 },
 *       "speed": 48.3,                       km/h
 *       "odometer": 18342.7,                 km
 *       "battery": { "stateOfCharge": 71.4, "power": 12.8, "temperature": 24.5, "charging": false },
 *       "range": 301,                        km
 *       "tyrePressure": [2.5, 2.5, 2.6, 2.6],  bar: front left, front right, rear left, rear right
 *       "outsideTemperature": 7.5            °C
 *     }
 *
 * Units: percent for the charge, kW for the power (negative while charging), metres for the altitude.
 */
export interface Telemetry {
  readonly vin: string;
  readonly sequence: number;
  readonly timestamp: string;
  readonly tripId: string;
  readonly ignition: boolean;
  readonly position: { readonly latitude: number; readonly longitude: number; readonly heading: number; readonly altitude: number };
  readonly speed: number;
  readonly odometer: number;
  readonly battery: { readonly stateOfCharge: number; readonly power: number; readonly temperature: number; readonly charging: boolean };
  readonly range: number;
  readonly tyrePressure: readonly [number, number, number, number];
  readonly outsideTemperature: number;
}

const intervalSeconds = 10;
const capacityKwh = 75;
const kmPerPercent = 4.2;
const startsAt = Date.parse('2026-03-02T06:00:00Z');

type Random = () => number;

const letterValues: Readonly<Record<string, number>> = {
  ...{ A: 1, B: 2, C: 3, D: 4, E: 5, F: 6, G: 7, H: 8, J: 1, K: 2, L: 3, M: 4, N: 5, P: 7, R: 9 },
  ...{ S: 2, T: 3, U: 4, V: 5, W: 6, X: 7, Y: 8, Z: 9 },
};
const vinWeights = [8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2];

function vinOf(serial: number): string {
  const body = `WSX0EV1C0R${String(serial).padStart(7, '0')}`;
  const sum = [...body].reduce((total, sign, i) => total + (letterValues[sign] ?? Number(sign)) * (vinWeights[i] ?? 0), 0);
  const check = sum % 11 === 10 ? 'X' : String(sum % 11);
  return `${body.slice(0, 8)}${check}${body.slice(9)}`;
}

const rounded = (value: number, digits: number): number => Number(value.toFixed(digits));

export class Car {
  readonly vin: string;
  readonly #random: Random;
  #sequence = 0;
  #trip = 1;
  #parkedReports = 0;
  #latitude: number;
  #longitude: number;
  #heading: number;
  #speed = 0;
  #odometer: number;
  #charge: number;

  constructor(serial: number, seed: number) {
    this.vin = vinOf(serial);
    this.#random = randomOf(seed * 1_000_003 + serial);
    this.#latitude = 48.137 + (this.#random() - 0.5) * 0.2;
    this.#longitude = 11.575 + (this.#random() - 0.5) * 0.3;
    this.#heading = this.#random() * 360;
    this.#odometer = 500 + this.#random() * 60_000;
    this.#charge = 40 + this.#random() * 60;
  }

  get topic(): string {
    return `vehicles/${this.vin}/telemetry`;
  }

  /** Drives, parks or charges for one interval, and reports. */
  next(): Telemetry {
    this.#sequence++;
    if (this.#parkedReports > 0) this.#stand();
    else this.#drive();
    return this.#report();
  }

  #drive(): void {
    const random = this.#random;
    this.#speed = Math.min(130, Math.max(5, this.#speed + (random() - 0.45) * 25));
    this.#heading = (this.#heading + (random() - 0.5) * 40 + 360) % 360;
    const km = (this.#speed * intervalSeconds) / 3_600;
    const radians = (this.#heading * Math.PI) / 180;
    this.#latitude += (km / 111.2) * Math.cos(radians);
    this.#longitude += (km / (111.2 * Math.cos((this.#latitude * Math.PI) / 180))) * Math.sin(radians);
    this.#odometer += km;
    this.#charge = Math.max(0, this.#charge - km / kmPerPercent);
    // an empty car has to charge; the others park now and then
    if (this.#charge < 8) this.#parkedReports = 60;
    else if (random() < 0.005) this.#parkedReports = 6;
  }

  #stand(): void {
    this.#speed = 0;
    if (this.#isCharging) this.#charge = Math.min(100, this.#charge + (11 * intervalSeconds * 100) / 3_600 / capacityKwh);
    this.#parkedReports--;
    if (this.#parkedReports === 0) this.#trip++;
  }

  get #isCharging(): boolean {
    return this.#parkedReports > 0 && this.#charge < 80;
  }

  #report(): Telemetry {
    const random = this.#random;
    const isDriving = this.#speed > 0;
    const pressure = (): number => rounded(2.5 + random() * 0.1, 1);
    return {
      vin: this.vin,
      sequence: this.#sequence,
      timestamp: new Date(startsAt + this.#sequence * intervalSeconds * 1_000).toISOString(),
      tripId: `${this.vin}-${this.#trip}`,
      ignition: isDriving,
      position: {
        latitude: rounded(this.#latitude, 6),
        longitude: rounded(this.#longitude, 6),
        heading: Math.floor(this.#heading),
        altitude: Math.round(515 + random() * 10),
      },
      speed: rounded(this.#speed, 1),
      odometer: rounded(this.#odometer, 1),
      battery: {
        stateOfCharge: rounded(this.#charge, 1),
        power: rounded(isDriving ? this.#speed * 0.18 + random() * 4 : this.#isCharging ? -11 : 0.3, 1),
        temperature: rounded(20 + random() * 8, 1),
        charging: this.#isCharging,
      },
      range: Math.round(this.#charge * kmPerPercent),
      tyrePressure: [pressure(), pressure(), pressure(), pressure()],
      outsideTemperature: rounded(6 + random() * 3, 1),
    };
  }
}

/** Cars with the serial numbers 1 to `count`. */
export function fleet(count: number, seed = 1): Car[] {
  return Array.from({ length: count }, (_, i) => new Car(i + 1, seed));
}

// A thermometer and a lamp for mqtt-lab, on an Arduino Uno.
//
// It prints lines such as `temperature 23.5` and `led 0`, and takes the line `led 1`.
// Speak the same lines from any other board, and the lab needs no change.

const int SENSOR = A0;                   // LM35: 10 mV for each degree Celsius
const int LED = 13;                      // the lamp on the board
const float SUPPLY_MILLIVOLTS = 5000.0;  // what the highest reading stands for
const unsigned long INTERVAL_MS = 1000;  // time between two measurements

bool ledIsOn = false;
String command;  // the line that is being received
unsigned long lastMeasurement = 0;

void setup() {
  Serial.begin(115200);
  command.reserve(40);
  pinMode(LED, OUTPUT);
  Serial.println("# arduino-uno: temperature, led");  // the lab skips lines with #
}

void loop() {
  if (millis() - lastMeasurement >= INTERVAL_MS) {
    lastMeasurement += INTERVAL_MS;
    printTemperature();
    printLed();  // now and then, so that the lab knows it after a restart, too
  }
  while (Serial.available() > 0) {
    receive(Serial.read());
  }
}

void printTemperature() {
  float millivolts = analogRead(SENSOR) * SUPPLY_MILLIVOLTS / 1024.0;
  Serial.print("temperature ");
  Serial.println(millivolts / 10.0, 1);
}

void printLed() {
  Serial.print("led ");
  Serial.println(ledIsOn ? 1 : 0);
}

// Collects a line and obeys when it is whole.
void receive(char next) {
  if (next == '\n') {
    obey();
    command = "";
  } else if (command.length() < 40) {
    command += next;
  }
}

void obey() {
  command.trim();
  if (command == "led 1" || command == "led 0") {
    ledIsOn = command == "led 1";
    digitalWrite(LED, ledIsOn ? HIGH : LOW);
    printLed();  // the answer: only now does the lab believe it
  }
}

// An Arduino Uno as a program: `board SKETCH.elf PORT` runs a sketch in simavr, with PORT as its USB port.
// A line of standard input is the voltage at A0 in millivolts; standard output tells when the lamp at pin 13 changes.

#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>
#include <simavr/avr_adc.h>
#include <simavr/avr_ioport.h>
#include <simavr/avr_uart.h>
#include <simavr/sim_avr.h>
#include <simavr/sim_elf.h>

#define CLOCK_MHZ 16
#define STEP_CYCLES 2000  // more than a byte takes at 115200 baud: the board never gets them too fast

static int usb;  // the computer's end of the cable is the other side of this pseudoterminal

static void lamp(struct avr_irq_t *irq, uint32_t on, void *unused) {
  (void)irq, (void)unused;
  printf("lamp %u\n", on);
  fflush(stdout);
}

static void send(struct avr_irq_t *irq, uint32_t byte, void *unused) {
  (void)irq, (void)unused;
  unsigned char sent = byte;
  if (write(usb, &sent, 1) < 0) return;  // as on a real board: what nobody reads is lost
}

static void plug_in(const char *port) {
  usb = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK);
  if (usb < 0 || grantpt(usb) || unlockpt(usb)) exit(2);
  int held = open(ptsname(usb), O_RDWR | O_NOCTTY);  // so that it stays raw while nobody else has it open
  struct termios raw;
  if (held < 0 || tcgetattr(held, &raw)) exit(2);
  cfmakeraw(&raw);
  if (tcsetattr(held, TCSANOW, &raw) || symlink(ptsname(usb), port)) exit(2);
}

static void keep_real_time(const avr_t *avr) {
  static struct timespec start;
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  if (!start.tv_sec) start = now;
  long long real_us = (now.tv_sec - start.tv_sec) * 1000000LL + (now.tv_nsec - start.tv_nsec) / 1000;
  long long ahead_us = (long long)avr->cycle / CLOCK_MHZ - real_us;
  if (ahead_us > 1000) usleep(ahead_us);
}

int main(int count, char **arguments) {
  elf_firmware_t sketch = {0};
  if (count != 3 || elf_read_firmware(arguments[1], &sketch)) return 2;
  sketch.frequency = CLOCK_MHZ * 1000000;
  sketch.vcc = sketch.avcc = sketch.aref = 5000;
  avr_t *avr = avr_make_mcu_by_name("atmega328p");
  avr_init(avr);
  avr_load_firmware(avr, &sketch);
  avr_irq_register_notify(avr_io_getirq(avr, AVR_IOCTL_IOPORT_GETIRQ('B'), 5), lamp, NULL);
  avr_irq_register_notify(avr_io_getirq(avr, AVR_IOCTL_UART_GETIRQ('0'), UART_IRQ_OUTPUT), send, NULL);
  plug_in(arguments[2]);
  fcntl(STDIN_FILENO, F_SETFL, O_NONBLOCK);
  for (avr_cycle_count_t next = 0; avr->state != cpu_Done && avr->state != cpu_Crashed;) {
    avr_run(avr);
    if (avr->cycle < next) continue;
    next = avr->cycle + STEP_CYCLES;
    unsigned char byte;
    if (read(usb, &byte, 1) == 1)
      avr_raise_irq(avr_io_getirq(avr, AVR_IOCTL_UART_GETIRQ('0'), UART_IRQ_INPUT), byte);
    char millivolts[16];
    if (fgets(millivolts, sizeof millivolts, stdin))
      avr_raise_irq(avr_io_getirq(avr, AVR_IOCTL_ADC_GETIRQ, ADC_IRQ_ADC0), atoi(millivolts));
    if (feof(stdin)) return 0;  // the test has ended
    clearerr(stdin);
    keep_real_time(avr);
  }
  return 1;
}

/*===- FixtureArtifact.h - Copies of the hand-written artifact ----*- C -*-===*\
|*
|* Plain C, for the fake compiler plugin and for tests.
|*
\*===----------------------------------------------------------------------===*/
#ifndef BOO_RUNTIME_TESTING_FIXTUREARTIFACT_H
#define BOO_RUNTIME_TESTING_FIXTUREARTIFACT_H

#define FIXTURE_ELEMENTS 4096
#define FIXTURE_GRID 64
#define FIXTURE_KEY "KEYKEYKEYKEYKEYKEYKEYKEYKEYKEYKE"
#define FIXTURE_NAME "NAMENAMENAMENAMENAMENAMENAMENAME"
#ifdef FIXTURE_PREPARE
#define FIXTURE_CONSTANTS "16"
#else
#define FIXTURE_CONSTANTS "0"
#endif

#endif /* BOO_RUNTIME_TESTING_FIXTUREARTIFACT_H */
